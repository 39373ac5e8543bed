import ServerURL
import Testing

@Suite struct ServerURLTests {
  private func parse(_ text: String) throws -> ServerURL { try ServerURL(text, defaultPorts: ["mqtt": 1883, "mqtts": 8883]) }

  @Test func `All its parts are read`() throws {
    let url = try parse("mqtts://in%2Fgest:p%40ss:%2Fword@broker.example:18883/some/path")
    #expect(url.scheme == "mqtts" && url.host == "broker.example" && url.port == 18883)
    #expect(url.user == "in/gest" && url.password == "p@ss:/word" && url.path == "some/path")
  }

  @Test func `What is left out is none or has its default`() throws {
    let url = try parse("mqtt://localhost")
    #expect(url.port == 1883 && url.user == nil && url.password == nil && url.path.isEmpty)
    #expect(try parse("mqtts://localhost").port == 8883)
    #expect(try parse("mqtt://:secret@localhost").password == "secret")
    #expect(try parse("mqtt://:secret@localhost").user == nil)
    #expect(try parse("mqtt://[::1]:7000/").host == "::1")
  }

  @Test(arguments: [
    "", "localhost:6379", "http://localhost", "mqtt://", "mqtt://:pw@", "mqtt://secret:0@", "mqtt://host:0", "mqtt://host:secret",
    "mqtt://::1:6379", "mqtt://[::1]x", "mqtt://a%4:secret@host", "mqtt://a:secret%ff@host", "mqtt://a:secret%00@host",
  ])
  func `A malformed one is refused with a reason that does not repeat it`(text: String) {
    let error = #expect(throws: ServerURL.Malformed.self) { try parse(text) }
    #expect(error?.reason.isEmpty == false && error?.reason.contains("secret") == false)
  }
}
