internal import PawlModel

/// The places of a packed batch whose next tokens carry loss, copied together: rows of hidden states on the way forward,
/// of their gradients on the way back.
struct LossRows {
    /// [R, D].
    let states: FloatBuffer
    /// Runs of places: the first row of the batch, and how many there are.
    private let runs: [(first: Int, count: Int)]
    private let width: Int

    /// Copies runs of rows out of `batch` [T, D].
    init(_ runs: [(first: Int, count: Int)], width: Int, from batch: FloatBuffer) {
        self.runs = runs
        self.width = width
        states = FloatBuffer(runs.reduce(0) { $0 + $1.count } * width)
        forEach { row, place, count in
            (states.pointer + row).update(from: batch.pointer + place, count: count)
        }
    }

    /// Copies the rows back to their places in `batch` [T, D].
    func copy(to batch: FloatBuffer) {
        forEach { row, place, count in
            (batch.pointer + place).update(from: states.pointer + row, count: count)
        }
    }

    /// Goes through the runs: offset among the rows, offset in the batch, numbers.
    private func forEach(_ body: (Int, Int, Int) -> Void) {
        var row = 0
        for run in runs {
            body(row * width, run.first * width, run.count * width)
            row += run.count
        }
    }
}
