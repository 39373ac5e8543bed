import HTTPTypes
import Models

/// The same operations as a page for people: one file of HTML without script, that asks for nothing else.
struct DocumentationPage {
  /// Named by its hash in the page's Content-Security-Policy.
  static let style = """
    body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2430;background:#fff}
    h1,h2{line-height:1.2}section{border-top:1px solid #d5dbe3;padding:.5rem 0}code{font:14px ui-monospace,monospace}
    h3{font:600 16px ui-monospace,monospace}h3 b{display:inline-block;min-width:4.5rem;color:#0a5c8a}
    table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #eceff3}
    nav a{margin-right:1rem}.who{color:#5a6675}@media(prefers-color-scheme:dark){body{color:#dde3ea;background:#14181d}
    section,td,th{border-color:#323a44}h3 b,a{color:#6cc1f0}.who{color:#9aa6b4}}
    """

  let operations: [Operation]

  var html: String {
    let groups = Operation.Group.allCases.filter { group in operations.contains { $0.group == group } }
    let sections = groups.map { group in
      "<h2 id=\"\(Self.anchor(group))\">\(group.rawValue)</h2>\n"
        + operations.filter { $0.group == group }.map(section).joined(separator: "\n")
    }
    return """
      <!DOCTYPE html>
      <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Martlet API</title>
      <style>\(Self.style)</style></head><body>
      <h1>Martlet API</h1>
      <p>Users, appliances, their history, and commands to them, as JSON over HTTP. Programs read <a href="/api/openapi.json">the same as OpenAPI 3.1</a>.
      A token from <code>POST /api/v1/auth/login</code> goes into the header <code>Authorization: Bearer …</code>. Unknown members of a body and unknown parameters are refused.
      Lists come in pages: <code>next_cursor</code> of one is <code>cursor</code> of the next, and <code>null</code> after the last.</p>
      <nav>\(groups.map { "<a href=\"#\(Self.anchor($0))\">\($0.rawValue)</a>" }.joined())<a href="#problems">Problems</a></nav>
      \(sections.joined(separator: "\n"))
      <h2 id="problems">Problems</h2>
      <p>What is refused is answered by <code>application/problem+json</code> (RFC 9457); <code>code</code> is what a program goes by.</p>
      \(Self.table(Problem.Code.allCases.map { ["<code id=\"\($0.rawValue)\">\($0.rawValue)</code>", "\($0.status.code)", Self.escaped($0.meaning)] }))
      </body></html>

      """
  }

  private func section(_ operation: Operation) -> String {
    let path = Self.escaped(operation.path)
    var parts = [
      "<section id=\"\(operation.id)\"><h3><b>\(operation.method.rawValue)</b> \(path)</h3>",
      "<p>\(Self.escaped(operation.summary)) <span class=\"who\">For \(Self.words(operation.admittance)).</span></p>",
    ]
    let parameters = operation.pathParameters + operation.query
    if !parameters.isEmpty {
      parts.append(
        Self.table(
          parameters.map {
            [
              "<code>\($0.name)</code>", Self.escaped($0.schema.words) + ($0.isRequired ? ", required" : ""),
              Self.escaped($0.note),
            ]
          }))
    }
    if let body = operation.body { parts.append("<p>Body:</p>" + Self.table(Self.rows(body.schema, prefix: ""))) }
    parts.append("<p>Answers \(operation.answer.status.code): \(Self.escaped(operation.answer.note))</p>")
    if case .json(let schema) = operation.answer.content { parts.append(Self.table(Self.rows(schema, prefix: ""))) }
    if case .jsonOrCSV(let schema) = operation.answer.content { parts.append(Self.table(Self.rows(schema, prefix: ""))) }
    let problems = operation.allProblems.map { "<a href=\"#\($0.rawValue)\"><code>\($0.rawValue)</code></a>" }
    return parts.joined(separator: "\n") + "\n<p class=\"who\">Problems: \(problems.joined(separator: ", "))</p></section>"
  }

  private static func rows(_ schema: Schema, prefix: String) -> [[String]] {
    switch schema {
    case .named(_, let schema), .nullable(let schema): return rows(schema, prefix: prefix)
    case .list(let element): return rows(element, prefix: prefix + "[]")
    case .object(let members), .openObject(let members):
      return members.flatMap { member -> [[String]] in
        let name = prefix.isEmpty ? member.name : "\(prefix).\(member.name)"
        let row = ["<code>\(name)</code>", escaped(member.schema.words) + (member.isRequired ? "" : ", optional"), escaped(member.note)]
        return [row] + rows(member.schema, prefix: name)
      }
    default: return []
    }
  }

  private static func words(_ admittance: Operation.Admittance) -> String {
    switch admittance {
    case .anyone: "anyone"
    case .user: "every user"
    case .admin: "admins"
    case .appliance(.watch): "all who may see the appliance"
    case .appliance(.operate): "its owner, those it is shared with as operators, and admins"
    case .appliance(.own): "its owner and admins"
    case .appliance(.administer): "admins"
    }
  }

  private static func table(_ rows: [[String]]) -> String {
    let lines = rows.map { cells in "<tr>" + cells.map { "<td>\($0)</td>" }.joined() + "</tr>" }
    return "<table>" + lines.joined() + "</table>"
  }

  private static func anchor(_ group: Operation.Group) -> String { group.rawValue.lowercased().replacing(" ", with: "-") }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;").replacing("\"", with: "&quot;")
  }
}
