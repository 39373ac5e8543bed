import Models
import Testing

@testable import Gateway

@Suite struct EventGlanceTests {
  private func type(_ text: String) -> EventType? { Array(text.utf8).withUnsafeBytes { EventGlance.type(of: $0) } }
  private func id(_ text: String) -> EventID? { Array(text.utf8).withUnsafeBytes { EventGlance.id(of: $0) } }

  @Test func `Type and id of an encoded event are found`() {
    var event = Samples.event("cooking:progress", 7)
    event.id = EventID(milliseconds: .max, sequence: .max)
    let text = String(decoding: event.encoded(), as: UTF8.self)
    #expect(type(text) == event.type)
    #expect(id(text) == event.id)
  }

  @Test func `An event without an id has none, whatever its data says`() {
    var event = Samples.event("cooking:progress", 7)
    event.id = nil
    event.data = Array(#"{"a":1,"id":"5-0"}"#.utf8)
    #expect(id(String(decoding: event.encoded(), as: UTF8.self)) == nil)
  }

  @Test(arguments: [
    "", "{", "{}", "\"}", "{\"type\":\"", "{\"type\":\"\"", "{\"type\":\"a b\"}", ",\"id\":\"5\"}", "{\"x_id\":\"5-0\"}", ",\"id\":\"\"}",
  ])
  func `What is not as the bus writes it has neither`(text: String) {
    #expect(type(text) == nil)
    #expect(id(text) == nil)
  }
}
