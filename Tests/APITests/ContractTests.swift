import Models
import Testing

@testable import API

@Suite struct ContractTests {
  private let schema = Schema.object([
    .required("name", .text(1...5)), .optional("age", .integer(0...150)), .optional("role", .nullable(.word(["cook", "guest"]))),
    .optional("inner", .named("Inner", .object([.required("id", .applianceID)]))), .optional("data", .anyObject),
  ])

  private func places(_ text: String) throws -> [String] {
    schema.violations(of: try JSONObject(parsing: Array(text.utf8))).map(\.place)
  }

  @Test func `A body that is as it must be has no violations`() throws {
    #expect(try places(#"{"name":"Ann","age":7,"role":null,"inner":{"id":"EPIC-001"},"data":{"anything":[1,{}]}}"#) == [])
    #expect(try places(#"{"name":"ä̈ö"}"#) == [])
  }

  @Test(arguments: [
    (#"{}"#, "/name"), (#"{"name":""}"#, "/name"), (#"{"name":"Annabel"}"#, "/name"), (#"{"name":7}"#, "/name"),
    (#"{"name":"a\u0000"}"#, "/name"),
    (#"{"name":"a","age":1.5}"#, "/age"), (#"{"name":"a","age":151}"#, "/age"), (#"{"name":"a","age":"7"}"#, "/age"),
    (#"{"name":"a","role":"chef"}"#, "/role"), (#"{"name":"a","inner":{"id":"a b"}}"#, "/inner/id"),
    (#"{"name":"a","inner":{}}"#, "/inner/id"),
    (#"{"name":"a","inner":[]}"#, "/inner"), (#"{"name":"a","data":"{}"}"#, "/data"), (#"{"name":"a","nmae":"b"}"#, "/nmae"),
    (#"{"name":"a","a/b~c":1}"#, "/a~1b~0c"),
  ])
  func `Whatever is wrong is named by its place`(body: String, place: String) throws {
    #expect(try places(body) == [place])
  }

  @Test func `Each operation has an id of its own, and each parameter of its path is described`() {
    let ids = Samples.operations.map(\.id)
    #expect(Set(ids).count == ids.count)
    for operation in Samples.operations {
      #expect(operation.pathParameters.count == operation.path.count { $0 == "{" }, "\(operation.id)")
    }
  }

  @Test func `The page names every operation and every problem, and asks for nothing else`() {
    let page = DocumentationPage(operations: Samples.operations).html
    for operation in Samples.operations { #expect(page.contains("id=\"\(operation.id)\"")) }
    for code in Problem.Code.allCases { #expect(page.contains("id=\"\(code.rawValue)\"")) }
    for forbidden in ["<script", "src=", "http://", "https://", "@import", "url("] { #expect(!page.contains(forbidden), "\(forbidden)") }
  }
}

enum Samples {
  static let operations = DocumentRoutes(of: []).routes.map(\.operation)
}
