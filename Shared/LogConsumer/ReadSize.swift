/// How many records to ask for next: more while the log is ahead, fewer when they are large. Bounds the memory of a batch.
struct ReadSize {
  static let start = 256
  private let recordsMax: Int
  private let bytesMax: Int
  private(set) var records: Int

  init(recordsMax: Int, bytesMax: Int) {
    self.recordsMax = recordsMax
    self.bytesMax = bytesMax
    records = min(Self.start, recordsMax)
  }

  /// Learns from a page that was just read.
  mutating func learn(records count: Int, bytes: Int) {
    guard count > 0 else { return }
    let fitting = max(1, bytesMax / max(1, bytes / count))
    let wanted = count >= records ? records * 2 : records
    records = min(wanted, fitting, recordsMax)
  }
}
