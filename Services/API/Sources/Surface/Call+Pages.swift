import Models
import Store

/// What lists and histories have in common.
extension Call {
  func window() throws(Problem) -> HistoryWindow {
    let (from, to) = (moment("from"), moment("to"))
    if let from, let to, to <= from {
      throw Problem(.invalidParameter, violations: [Violation(place: "to", detail: "must be after from")])
    }
    return HistoryWindow(from: from, to: to)
  }

  var order: HistoryOrder { query["order"] == "newest_first" ? .newestFirst : .oldestFirst }

  /// The parameters that make this another question, by which a cursor is known to belong to it.
  func narrowing(_ names: [String]) -> [String] { names.map { query[$0] ?? "" } }

  func cursor(for question: [String], count: Int) throws(Problem) -> Cursor? {
    guard let text = query["cursor"] else { return nil }
    return try Cursor(text, for: question, count: count)
  }

  /// This call, for an answer that has no pages.
  func unpaged() throws(Problem) -> Call {
    let violations = ["limit", "cursor"].filter { query[$0] != nil }.map {
      Violation(place: $0, detail: "is not for CSV, which holds everything")
    }
    guard violations.isEmpty else { throw Problem(.invalidParameter, violations: violations) }
    return self
  }
}
