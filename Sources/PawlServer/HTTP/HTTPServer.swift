internal import Foundation
internal import Hummingbird
internal import Logging
internal import NIOCore
internal import PawlCore
public import PawlRegistry
internal import ServiceLifecycle
internal import Synchronization

/// Serves handlers over HTTP/1.1 until it is asked to stop.
public final class HTTPServer: Sendable {
    /// Where and how to serve.
    public struct Options: Sendable {
        /// The address to listen on.
        public var host = "127.0.0.1"
        /// The port; 0 for any that is free.
        public var port = 7295
        /// Whether even this machine needs a token.
        public var needsToken = false
        /// How much is taken.
        public var limits = ServerLimits()
        /// Takes a line for every request.
        public var log: @Sendable (RequestLine) -> Void = { _ in }

        /// Loopback on the usual port, for whoever is on this machine to read.
        public init() {}
    }

    private let options: Options
    private let dispatcher: Dispatcher
    private let readiness: Readiness
    private let onStop: @Sendable () async -> Void
    private let group = Mutex<ServiceGroup?>(nil)
    private let isStopping = Mutex(false)

    // Apart from what may throw: Swift 6.3's optimiser crashes on a throwing initialiser of a class with these fields.
    private init(
        dispatcher: Dispatcher, options: Options, readiness: Readiness,
        onStop: @escaping @Sendable () async -> Void
    ) {
        self.dispatcher = dispatcher
        self.options = options
        self.readiness = readiness
        self.onStop = onStop
    }

    /// Makes a server; nothing listens yet.
    ///
    /// - Parameters:
    ///   - handlers: asked in their order; the first that answers wins.
    ///   - onStop: called when the server was asked to stop and takes no new connection: ends streams without an end and
    ///     hands long work back.
    /// - Throws: `usage` for an address other than this machine's while the registry has no token.
    public convenience init(
        registry: Registry, handlers: [any Handler], options: Options = Options(),
        onStop: @escaping @Sendable () async -> Void = {}
    ) throws {
        let tokens = Tokens(registry: registry.root)
        let isLoopback = ["127.0.0.1", "::1", "localhost"].contains(options.host)
        guard try isLoopback || !tokens.all().isEmpty else {
            throw PawlError(
                .usage, "serving on \(options.host) needs a token, and this registry has none",
                hint:
                    "pawl token create NAME --role read makes one; without --host only this machine is served"
            )
        }
        let readiness = Readiness { _ = try registry.main() }
        let (metrics, admission) = (Metrics(), Admission(options.limits))
        let health = Health(metrics: metrics, admission: admission, readiness: readiness)
        let access = Access(
            tokens: tokens, anonymous: isLoopback && !options.needsToken ? .read : nil, isLoopback: isLoopback
        )
        let dispatcher = Dispatcher(
            handlers: [health] + handlers, access: access, limits: options.limits, metrics: metrics,
            admission: admission, log: options.log)
        self.init(dispatcher: dispatcher, options: options, readiness: readiness, onStop: onStop)
    }

    /// Serves until ``stop()`` is called or the task is cancelled; running requests get the limits' grace.
    ///
    /// - Parameter onReady: called with the port when connections are taken.
    public func run(onReady: @escaping @Sendable (Int) -> Void = { _ in }) async throws {
        var logger = Logger(label: "pawl.server")
        logger.logLevel = .critical
        let application = application(logger, onReady: onReady)
        var configuration = ServiceGroupConfiguration(services: [application], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(options.limits.graceSeconds)
        let group = ServiceGroup(configuration: configuration)
        self.group.withLock { $0 = group }
        // Not a child: cancelling the caller stops the server with grace, and not in the middle of answers.
        let service = Task { try await group.run() }
        do {
            try await withTaskCancellationHandler {
                try await service.value
            } onCancel: {
                Task { await self.stop() }
            }
        } catch let error as PawlError {
            throw error
        } catch is CancellationError {
            return  // the grace was over
        } catch {
            throw failure(error)
        }
    }

    /// Takes no new connections, lets running requests finish, and returns when that was started.
    public func stop() async {
        let isFirst = isStopping.withLock { isStopping in
            defer { isStopping = true }
            return !isStopping
        }
        guard isFirst else { return }
        readiness.stop()
        let group = group.withLock { $0 }
        async let ending: Void = onStop()
        await group?.triggerGracefulShutdown()
        await ending
    }

    private func application(_ logger: Logger, onReady: @escaping @Sendable (Int) -> Void) -> Application<
        Bridge
    > {
        let limits = options.limits
        // What the registry and the models have open needs room as well.
        let connections = max(16, min(limits.connections, OpenFiles.raiseLimit() - 256))
        return Application(
            responder: Bridge(dispatcher: dispatcher),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [DepartureHandler()],
                    idleTimeout: .milliseconds(Int64(limits.idleSeconds * 1000)),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: limits.headerBytes, maxHeaderListSize: limits.headerBytes,
                        maxHeaderFieldCount: limits.headerCount))),
            configuration: ApplicationConfiguration(
                address: .hostname(options.host, port: options.port),
                availableConnectionsDelegate: .maximum(connections, logger: logger)),
            onServerRunning: { onReady($0.localAddress?.port ?? 0) },
            logger: logger)
    }

    private func failure(_ error: any Error) -> PawlError {
        let place = "\(options.host):\(options.port)"
        guard let io = error as? IOError else {
            return PawlError(.io, "cannot serve on \(place)", underlying: error)
        }
        let hint = io.errnoCode == EADDRINUSE ? "something listens there already; --port takes another" : nil
        return PawlError(
            .io, "cannot listen on \(place): \(String(cString: strerror(io.errnoCode)))", hint: hint)
    }
}
