internal import PawlCore

/// Cuts an engine's stdout into lines and lines into messages.
struct LineSplitter {
    /// Longest line in bytes, its line feed not counted.
    static let maximumLineLength = 1 << 20

    private var pending: [UInt8] = []
    private var isBroken = false

    /// Takes bytes and hands out what they complete; after a violation nothing more comes.
    mutating func push(_ bytes: UnsafeRawBufferPointer, _ emit: (EngineEvent, [UInt8]) -> Void) {
        guard !isBroken else { return }
        var rest = bytes[...]
        while let end = rest.firstIndex(of: 0x0A) {
            pending += rest[..<end]
            rest = rest[(end + 1)...]
            finishLine(emit)
            if isBroken { return }
        }
        pending += rest
        if pending.count > Self.maximumLineLength { finishLine(emit) }
    }

    /// Reports a line that lacks its line feed at the end of the output.
    mutating func finish(_ emit: (EngineEvent, [UInt8]) -> Void) {
        guard !isBroken, !pending.isEmpty else { return }
        violate("its output ended in the middle of a line: \(Self.quote(pending))", emit)
    }

    private mutating func finishLine(_ emit: (EngineEvent, [UInt8]) -> Void) {
        if pending.count > Self.maximumLineLength {
            let reason = "a line on stdout is longer than \(Self.maximumLineLength) bytes"
            return violate("\(reason); it starts with \(Self.quote(pending))", emit)
        }
        do {
            let value = try JSONParser.parse(pending)
            guard value.object != nil, value["type"]?.string != nil else {
                let reason = "a line on stdout is no object with a \"type\""
                return violate("\(reason): \(Self.quote(pending))", emit)
            }
            emit(.message(value), pending)
            pending.removeAll(keepingCapacity: true)
        } catch {
            let reason = (error as? JSONParser.Failure)?.reason ?? "\(error)"
            violate("a line on stdout is not JSON (\(reason)): \(Self.quote(pending))", emit)
        }
    }

    private mutating func violate(_ reason: String, _ emit: (EngineEvent, [UInt8]) -> Void) {
        isBroken = true
        emit(.violation(reason), pending)
        pending = []
    }

    /// The first bytes of a line in quotes, with control characters made visible.
    static func quote(_ line: [UInt8], limit: Int = 200) -> String {
        let text = String(decoding: line.prefix(limit), as: UTF8.self)
        let visible = text.unicodeScalars.map { scalar in
            scalar.properties.generalCategory == .control
                ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }
        return "\"" + visible.joined() + "\"" + (line.count > limit ? "… (\(line.count) bytes)" : "")
    }
}
