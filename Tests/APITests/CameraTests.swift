import Foundation
import LocalStack
import Testing

/// What is asked about cameras alone.
@Suite(.timeLimit(.minutes(3))) struct CameraTests {
  private typealias Question = APIFixture.Question

  @Test func `A camera is taken at its word only where its owner or an admin says so, who is warned`() async throws {
    try await APIFixture.run { fixture in
      let (root, owner, guest) = try await (fixture.token("root"), fixture.token("owner"), fixture.token("guest"))
      let camera = "/api/v1/appliances/cam-1"
      func ask(_ method: String, _ path: String, _ token: String, _ body: String) async throws -> APIFixture.Answer {
        try await fixture.ask(Question(method, path, token: token, body: body))
      }
      let plain = try await ask("POST", "/api/v1/appliances", root, #"{"id":"cam-1","owner_id":"owner","dialect":"signaling"}"#)
      #expect(plain.status == 201 && plain.value("accepts_unproven") as? Bool == false && plain.text("warning") == nil)
      let open = try await ask("PATCH", camera, owner, #"{"accepts_unproven":true}"#)
      #expect(open.status == 200 && open.value("accepts_unproven") as? Bool == true)
      #expect(open.text("warning")?.contains("cam-1") == true)
      #expect(try String(contentsOfFile: fixture.stack.folder.log("api-1"), encoding: .utf8).contains("can pass for it"))
      let renamed = try await ask("PATCH", camera, owner, #"{"name":"Hall"}"#)
      #expect(renamed.value("accepts_unproven") as? Bool == true, "what is not given stays")

      let share = try await ask("PUT", camera + "/shares/guest", owner, #"{"role":"operator"}"#)
      #expect(share.status == 200)
      #expect(try await ask("PATCH", camera, guest, #"{"accepts_unproven":false}"#).status == 403)

      for (method, path, body) in [
        ("PATCH", "/api/v1/appliances/EPIC-001", #"{"accepts_unproven":true}"#),
        ("POST", "/api/v1/appliances", #"{"id":"EPIC-002","owner_id":"owner","accepts_unproven":true}"#),
      ] {
        let refused = try await ask(method, path, root, body)
        #expect(refused.status == 422 && refused.text("errors.0.place") == "/accepts_unproven")
      }
      let other = try await ask("PATCH", camera, root, #"{"dialect":"generic"}"#)
      #expect(other.status == 200 && other.value("accepts_unproven") as? Bool == false)
    }
  }
}
