import LocalStack
import Testing

@Suite(.timeLimit(.minutes(2)), .enabled(if: Tool.pypiPython != nil, "`make test` has not fetched openapi-spec-validator"))
struct DocumentTests {
  @Test func `The API's document is OpenAPI 3.1, by a validator that is none of ours`() async throws {
    try await APIFixture.run { fixture in
      let document = try await fixture.ask(APIFixture.Question(path: "/api/openapi.json")).body
      #expect(try await Self.violations(of: document) == "")
      // Two operations of one id, and a path's parameter that is nowhere described.
      #expect(try await Self.violations(of: document.replacing("\"getDocs\"", with: "\"getOpenAPI\"")) != "")
      #expect(try await Self.violations(of: document.replacing("\"/api/docs\"", with: "\"/api/docs/{page}\"")) != "")
    }
  }

  private static func violations(of document: String) async throws -> String {
    let script = """
      import json, sys
      from openapi_spec_validator import OpenAPIV31SpecValidator
      for error in OpenAPIV31SpecValidator(json.load(sys.stdin)).iter_errors():
          sys.stdout.write(f"{list(error.absolute_path)}: {error.message}\\n")
      """
    return try await Tool.run([#require(Tool.pypiPython), "-c", script], input: document)
  }
}
