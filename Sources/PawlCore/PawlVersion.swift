/// The version of this build.
public enum PawlVersion {
    /// Semantic version of Pawl.
    public static let current = "0.1.0"
}
