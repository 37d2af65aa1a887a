public import PawlModel

/// Prompts to answer, and how.
public struct AnswerRequest: Sendable, Hashable {
    /// Each prompt's tokens.
    public var prompts: [[Int32]]
    /// Answers to each prompt.
    public var choices: Int
    /// Longest answer, in tokens; 0: the prompts are only scored.
    public var maxTokens: Int
    public var sampling: Sampling
    /// The same seed draws the same answers, whoever else asks.
    public var seed: Int
    /// Texts that end an answer, and are no part of it.
    public var stops: [String]
    /// Tokens that end an answer, beside the model's own.
    public var stopTokens: [Int32]
    /// Of how many likeliest tokens each token tells the log-probability, beside its own; nil: none, nor its own.
    public var topCount: Int?
    /// Whether the prompts' own tokens are scored too.
    public var scoresPrompts: Bool

    /// Makes a request.
    public init(
        prompts: [[Int32]], choices: Int = 1, maxTokens: Int, sampling: Sampling = .greedy, seed: Int = 1,
        stops: [String] = [], stopTokens: [Int32] = [], topCount: Int? = nil, scoresPrompts: Bool = false
    ) {
        self.prompts = prompts
        self.choices = choices
        self.maxTokens = maxTokens
        self.sampling = sampling
        self.seed = seed
        self.stops = stops
        self.stopTokens = stopTokens
        self.topCount = topCount
        self.scoresPrompts = scoresPrompts
    }

    /// One sequence for each choice: all of the first prompt, then all of the second.
    var sequences: [ContinuousBatch.Request] {
        prompts.flatMap { prompt in
            (0..<choices).map { choice in
                ContinuousBatch.Request(
                    tokens: prompt, name: "\(seed)/generate" + (choice > 0 ? "/\(choice)" : ""),
                    sampling: sampling, limit: maxTokens, topCount: topCount, scoresPrompt: scoresPrompts)
            }
        }
    }
}

/// What becomes of a choice, by its number: all choices of the first prompt come before those of the second.
public enum AnswerEvent: Sendable, Hashable {
    /// The prompt's tokens with their scores; once, before the answer.
    case prompt(choice: Int, [ScoredToken])
    /// The next part of the answer.
    case part(choice: Int, AnswerPart)
    /// The last part, how it ended, and how many tokens were drawn.
    case end(choice: Int, AnswerPart, Finish, tokens: Int)

    /// How an answer ended.
    public enum Finish: String, Sendable, Hashable {
        /// The model, a stop token or a stop text ended it.
        case stop
        /// It reached the longest length.
        case length
    }
}
