import Foundation

/// Waits until a part that was just started answers as its users need it to.
struct Readiness {
  let part: any StackPart
  let process: ManagedProcess
  let limit: Duration

  /// - Throws: `ended` when the process leaves first, `deadlineExceeded` past the limit; both with the last lines of the log.
  func wait() async throws {
    let deadline = ContinuousClock.now + limit
    while true {
      let refusal: String
      do { return try await part.probe() } catch let error as LocalStackError { refusal = error.message }
      if let end = process.ended.current { throw failure(.ended, "It ended early (\(end)).") }
      guard ContinuousClock.now < deadline else {
        throw failure(.deadlineExceeded, "It was not ready within \(limit): \(refusal)")
      }
      try await Task.sleep(for: .milliseconds(25))
    }
  }

  private func failure(_ code: LocalStackError.Code, _ what: String) -> LocalStackError {
    let log = part.launch.log
    let lines = LogTail(of: log).lastLines(3)
    return LocalStackError(code, part: part.launch.name, "\(what) \(part.remedy) The end of its log, \(log): \(lines)")
  }
}

/// The end of a log file, without reading all of it.
struct LogTail {
  private let text: String

  init(of path: String, bytes: UInt64 = 8192) {
    guard let file = FileHandle(forReadingAtPath: path) else {
      text = ""
      return
    }
    defer { try? file.close() }
    let size = (try? file.seekToEnd()) ?? 0
    try? file.seek(toOffset: size > bytes ? size - bytes : 0)
    text = String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
  }

  func lastLines(_ count: Int) -> String { text.isEmpty ? "(empty)" : text.lastLines(count) }
}
