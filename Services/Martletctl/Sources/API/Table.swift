import Models

/// Rows for people: columns as wide as they need to be, nothing in them that a terminal would obey.
struct Table {
  /// A cell longer than this is cut.
  private static let widthMax = 120

  let header: [String]
  private(set) var rows: [[String]] = []

  init(_ header: [String]) { self.header = header }

  mutating func add(_ cells: [String]) {
    rows.append(cells.map { $0.count > Self.widthMax ? $0.prefix(Self.widthMax - 1) + "…" : $0 }.map(EventLine.visible))
  }

  var lines: [String] {
    let all = [header] + rows
    let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
    return all.map { row in
      let cells = row.enumerated().map { index, cell in
        index == row.count - 1 ? cell : cell + String(repeating: " ", count: widths[index] - cell.count)
      }
      return cells.joined(separator: "  ")
    }
  }
}

/// A list of the API, page after page, up to so many items.
struct Listing {
  let path: String
  /// The member of a page that holds the items.
  let member: String
  var query: [(String, String?)] = []
  let limit: Int

  private static let pageMax = 1000

  func items(_ client: APIClient) async throws -> [JSONObject] {
    var items: [JSONObject] = []
    var cursor: String?
    repeat {
      let count = min(limit - items.count, Self.pageMax)
      let page = try await client.get(path, query + [("limit", String(count)), ("cursor", cursor)])
      for element in page.elements(member) ?? [] { items.append(try JSONObject(parsing: Array(element))) }
      cursor = page.string("next_cursor")
    } while cursor != nil && items.count < limit
    return items
  }

  /// Shows the items: as JSON, one a line, or as a table with a column for each path.
  func show(_ client: APIClient, json: Bool, columns: [(title: String, path: String)]) async throws {
    try await items(client).show(json: json, columns: columns)
  }
}

extension [JSONObject] {
  /// Shows them: as JSON, one a line, or as a table with a column for each path.
  func show(json: Bool, columns: [(title: String, path: String)]) {
    if json {
      for item in self where !Console.write(EventLine.line(item.bytes, .json)) { return }
      return
    }
    var table = Table(columns.map(\.title))
    for item in self { table.add(columns.map { item.cell($0.path) }) }
    for line in table.lines where !Console.say(line) { return }
  }
}

extension JSONObject {
  /// A member as a person reads it: texts without quotes, nothing for null.
  func cell(_ name: String) -> String {
    if let text = string(name) { return text }
    let raw = raw(name).map { String(decoding: $0, as: UTF8.self) } ?? ""
    return raw == "null" ? "" : raw
  }
}
