internal import PawlCore

/// An error as OpenAI's clients read it: `{"error":{"message","type","param","code"}}`.
struct OpenAIError: Error {
    let status: Int
    let message: String
    /// The member of the request that is wrong.
    let parameter: String?
    let code: String?
    let headers: [(name: String, value: String)]

    init(
        _ status: Int, _ message: String, parameter: String? = nil, code: String? = nil,
        headers: [(name: String, value: String)] = []
    ) {
        self.status = status
        self.message = message
        self.parameter = parameter
        self.code = code
        self.headers = headers
    }

    /// A member whose value cannot be.
    static func invalid(_ parameter: String, _ reason: String, code: String? = nil) -> OpenAIError {
        OpenAIError(400, "\(parameter): \(reason)", parameter: parameter, code: code)
    }

    /// Any error; what is none of ours says nothing of the server's inside.
    init(_ error: any Error) {
        switch error {
        case let error as OpenAIError: self = error
        case let error as PawlError:
            let hint = error.hint.map { " (\($0))" } ?? ""
            self.init(
                error.code.httpStatus, error.message + hint, code: error.code.name,
                headers: error.code == .overloaded ? [("retry-after", "1")] : [])
        case is CancellationError: self.init(499, "the request was cancelled", code: "cancelled")
        default: self.init(500, "an unexpected error", code: "internal")
        }
    }

    /// OpenAI's word for the kind of failure.
    private var type: String {
        switch status {
        case 429: "rate_limit_error"
        case 500...: "server_error"
        default: "invalid_request_error"
        }
    }

    struct Body: Encodable {
        struct Fields: Encodable {
            let message, type: String
            let param, code: String?

            private enum Keys: String, CodingKey { case message, type, param, code }

            func encode(to encoder: any Encoder) throws {
                var fields = encoder.container(keyedBy: Keys.self)
                try fields.encode(message, forKey: .message)
                try fields.encode(type, forKey: .type)
                // Clients expect both, null where there is none.
                try fields.encode(param, forKey: .param)
                try fields.encode(code, forKey: .code)
            }
        }
        let error: Fields
    }

    var body: Body { Body(error: .init(message: message, type: type, param: parameter, code: code)) }

    var reply: Reply {
        let bytes = (try? JSON.canonical(body)) ?? Array(#"{"error":{"message":"an unexpected error"}}"#.utf8)
        return Reply(status, type: "application/json", headers: headers, .bytes(bytes))
    }
}
