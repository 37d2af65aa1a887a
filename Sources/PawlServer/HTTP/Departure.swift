internal import Foundation
internal import NIOCore
internal import Synchronization

/// Knows when the client of a connection is gone, and cancels what is being done for it.
///
/// The library notices only when it writes; a model would go on with an answer that nobody waits for. A client that
/// closes its sending side has gone as well: an HTTP client keeps it open until it has its answer.
final class Departure: Sendable {
    private struct State {
        var isGone = false
        var actions: [UUID: @Sendable () -> Void] = [:]
    }

    private let state = Mutex(State())

    /// Calls `action` when the client goes, at once where it has gone already.
    func onDeparture(_ action: @escaping @Sendable () -> Void) -> UUID {
        let id = UUID()
        let isGone = state.withLock { state in
            if !state.isGone { state.actions[id] = action }
            return state.isGone
        }
        if isGone { action() }
        return id
    }

    /// Forgets an action.
    func forget(_ id: UUID) { state.withLock { _ = $0.actions.removeValue(forKey: id) } }

    fileprivate func leave() {
        let actions = state.withLock { state in
            state.isGone = true
            defer { state.actions = [:] }
            return Array(state.actions.values)
        }
        for action in actions { action() }
    }
}

/// Sees the end of a connection in its pipeline.
final class DepartureHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    let departure = Departure()

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent { departure.leave() }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        departure.leave()
        context.fireChannelInactive()
    }
}
