internal import PawlCore

/// The description of the API (OpenAPI 3.1), made of the table that dispatches.
enum OpenAPI {
    /// The routes that describe all others.
    static func routes(describing table: [APIRoute]) -> [APIRoute] {
        let index = APIRoute(
            method: "GET", path: [], role: .read, summary: "What there is.", answer: .json(200, "api-index")
        ) { _ in
            let paths = Set((table.map(\.template)) + ["/openapi.json"]).sorted().map { "/api/v1" + $0 }
            return try APIAnswers.json(APIIndex(openapi: "/api/v1/openapi.json", paths: paths))
        }
        let document = APIRoute(
            method: "GET", path: ["openapi.json"], role: .read, summary: "This description.",
            answer: .document
        ) { _ in
            Reply(type: "application/json", .bytes(try JSON.pretty(Self.document(table))))
        }
        return [index, document]
    }

    /// The whole description.
    static func document(_ table: [APIRoute]) throws -> JSONValue {
        let table = table + routes(describing: table)
        var paths: [String: JSONValue] = [:]
        for (path, routes) in Dictionary(grouping: table, by: \.template) {
            let operations = routes.map { ($0.method.lowercased(), operation($0)) }
            paths[path.isEmpty ? "/" : path] = .object(Dictionary(uniqueKeysWithValues: operations))
        }
        return [
            "openapi": "3.1.0",
            "info": [
                "title": "Pawl", "version": .string(PawlVersion.current),
                "license": ["name": "Apache-2.0", "identifier": "Apache-2.0"],
                "description": """
                One language model that only moves forward: its checkpoints, skills and verdicts. What is read is \
                what the command line prints with --json. Errors are problem details (RFC 9457). Whatever is read \
                has a strong entity tag; If-None-Match answers 304.
                """,
            ],
            "servers": [["url": "/api/v1"]],
            "security": [["bearer": []], ["basic": []], [:]],
            "paths": .object(paths),
            "components": [
                "securitySchemes": [
                    "bearer": ["type": "http", "scheme": "bearer"],
                    "basic": ["type": "http", "scheme": "basic"],
                ],
                "responses": .object(responses),
                "schemas": try JSON.parse(Array(APISchemas.json.utf8), source: "the schemas of the API"),
            ],
        ]
    }

    private static func operation(_ route: APIRoute) -> JSONValue {
        var members: [String: JSONValue] = [
            "operationId": .string(route.operation), "summary": .string(route.summary),
            "responses": .object(answers(of: route)),
        ]
        if let description = route.description { members["description"] = .string(description) }
        if !route.parameters.isEmpty { members["parameters"] = .array(route.parameters.map(parameter)) }
        if let body = route.body {
            members["requestBody"] = [
                "required": true, "content": ["application/json": ["schema": reference(body)]],
            ]
        }
        if route.role == .operate {
            members["security"] = [["bearer": []], ["basic": []]]
            members["x-role"] = .string(route.role.rawValue)
        }
        return .object(members)
    }

    private static func parameter(_ parameter: APIParameter) -> JSONValue {
        [
            "name": .string(parameter.name), "in": .string(parameter.isInPath ? "path" : "query"),
            "required": .bool(parameter.isRequired), "description": .string(parameter.description),
            "schema": parameter.schema,
        ]
    }

    private static func answers(of route: APIRoute) -> [String: JSONValue] {
        var answers: [String: JSONValue] = [
            "400": problem("invalid"), "401": problem("unauthorized"), "429": problem("busy"),
            "default": problem("problem"),
        ]
        let isNamed = route.parameters.contains { $0.isInPath } || route.body != nil
        if isNamed || !route.parameters.isEmpty { answers["404"] = problem("missing") }
        if route.role == .operate {
            answers["403"] = problem("forbidden")
            answers["409"] = problem("conflict")
            answers["423"] = problem("locked")
        }
        if route.body != nil {
            answers["413"] = problem("large")
            answers["415"] = problem("media")
        }
        switch route.answer {
        case .json(let status, let schema):
            answers["\(status)"] = success(
                ["application/json": ["schema": reference(schema)]], isRead: route.method == "GET")
        case .events:
            answers["200"] = success(["text/event-stream": ["schema": ["type": "string"]]], isRead: false)
        case .document:
            answers["200"] = success(["application/json": ["schema": ["type": "object"]]], isRead: true)
        }
        if route.method == "GET", case .json = route.answer {
            answers["304"] = ["description": "The client has these bytes already (If-None-Match)."]
        }
        return answers
    }

    private static func success(_ content: JSONValue, isRead: Bool) -> JSONValue {
        guard isRead else { return ["description": "Done.", "content": content] }
        let header: JSONValue = ["description": "Digest of the bytes.", "schema": ["type": "string"]]
        return ["description": "Found.", "content": content, "headers": ["ETag": header]]
    }

    private static func reference(_ schema: String) -> JSONValue {
        ["$ref": .string("#/components/schemas/\(schema)")]
    }

    private static func problem(_ name: String) -> JSONValue {
        ["$ref": .string("#/components/responses/\(name)")]
    }

    private static var responses: [String: JSONValue] {
        let texts = [
            "invalid": "A parameter or the body is not what it should be.",
            "unauthorized": "A token is needed.",
            "forbidden": "The token may not do this, or a page of another origin asked.",
            "missing": "There is no such thing.",
            "conflict": "Main, the verdict or what runs does not allow it.",
            "locked": "Somebody else works on the registry.", "large": "The body is too large.",
            "media": "The body is not JSON.", "busy": "Too many requests at the moment: see Retry-After.",
            "problem": "Something else went wrong.",
        ]
        return texts.mapValues { text in
            [
                "description": .string(text),
                "content": [.init(Problem.mediaType): ["schema": reference("problem")]],
            ]
        }
    }
}

/// What `/api/v1` answers (schemas/api-index.json).
struct APIIndex: Encodable {
    var openapi: String
    var paths: [String]
}
