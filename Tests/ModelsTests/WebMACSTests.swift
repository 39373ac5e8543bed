import Foundation
import Models
import Testing

@Suite struct WebMACSTests {
  private static func fixture(_ name: String) throws -> [UInt8] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent().appending(path: "Fixtures/webmacs")
    return try Array(Data(contentsOf: folder.appending(path: "\(name).json")))
  }

  private static func meaning(_ text: some Sequence<UInt8>) throws -> NSDictionary {
    try #require(JSONSerialization.jsonObject(with: Data(text)) as? NSDictionary)
  }

  private func batch(_ text: String) throws -> WebMACSBatch {
    guard case .batch(let batch) = try WebMACSControllerMessage(parsing: Array(text.utf8)) else {
      throw WebMACSRejection("no batch")
    }
    return batch
  }

  private func rejection(_ text: String) -> String? {
    do {
      _ = try WebMACSControllerMessage(parsing: Array(text.utf8))
      return nil
    } catch {
      return error.message
    }
  }

  // MARK: The document's examples

  @Test func `The document's batch is read as it is written`() throws {
    guard case .batch(let batch) = try WebMACSControllerMessage(parsing: Self.fixture("controller.batch")) else {
      Issue.record("no batch")
      return
    }
    #expect(batch.datapoints.map(\.eventID) == ["abc-123", "def-456", "ghi-789"])
    #expect(batch.datapoints.map { String(decoding: $0.value, as: UTF8.self) } == ["23.5", "1013.2", "7.14"])
    #expect(batch.refusals.isEmpty && batch.count == 3)
  }

  @Test func `The document's answers are written as it has them`() throws {
    let messages: [(String, [UInt8])] = [
      ("error", WebMACSServerMessage.noValidDatapoints.encoded()), ("connected", WebMACSServerMessage.connected.encoded()),
      ("pong", WebMACSServerMessage.pong.encoded()),
    ]
    for (name, text) in messages { #expect(try Self.meaning(text) == Self.meaning(Self.fixture(name)), "\(name)") }
    #expect(try WebMACSStreamMessage(parsing: Self.fixture("ping")) == .ping)
    #expect(try WebMACSControllerMessage(parsing: Self.fixture("ping")) == .ping)
  }

  @Test func `The document's broadcast is written as it has it`() throws {
    let time = try #require(Timestamp(iso8601: "2025-01-15T14:30:00.123456Z"))
    let datapoints = [("abc-123", "23.5"), ("def-456", "1013.2")].map { id, value in
      var text: [UInt8] = []
      WebMACSDatapoint(eventID: id, value: Array(value.utf8), timestamp: time, experimentID: "exp-001").append(to: &text)
      return text
    }
    #expect(try Self.meaning(WebMACSServerMessage.datapointsBatch(datapoints)) == Self.meaning(Self.fixture("datapoints_batch")))
  }

  @Test(arguments: [
    ("2025-01-15T14:30:00Z", "2025-01-15T14:30:00.000000"), ("2025-01-15T14:30:00.120Z", "2025-01-15T14:30:00.120000"),
    ("2025-01-15T15:30:00.123456+01:00", "2025-01-15T14:30:00.123456"),
  ])
  func `Timestamps are UTC, in microseconds, without a zone`(text: String, written: String) throws {
    #expect(try #require(Timestamp(iso8601: text)).iso8601WithoutZone == written)
  }

  @Test func `Without an experiment the member is null`() {
    var text: [UInt8] = []
    let time = Timestamp(microseconds: 0)
    WebMACSDatapoint(eventID: "a\"b", value: Array("1".utf8), timestamp: time, experimentID: nil).append(to: &text)
    #expect(
      String(decoding: text, as: UTF8.self)
        == #"{"value":1,"event_public_id":"a\"b","timestamp":"1970-01-01T00:00:00.000000","experiment_public_id":null}"#)
  }

  // MARK: Bad input

  @Test(arguments: [
    (#"{"event_public_id":"a"}"#, "'value' is missing"), (#"{"value":1}"#, "'event_public_id' is missing"),
    (#"{"value":NaN,"event_public_id":"a"}"#, "'value' must be a finite number"),
    (#"{"value":Infinity,"event_public_id":"a"}"#, "'value' must be a finite number"),
    (#"{"value":-Infinity,"event_public_id":"a"}"#, "'value' must be a finite number"),
    (#"{"value":1e999,"event_public_id":"a"}"#, "'value' must be a finite number"),
    (#"{"value":"1","event_public_id":"a"}"#, "'value' must be a finite number"),
    (#"{"value":true,"event_public_id":"a"}"#, "'value' must be a finite number"),
    (#"{"value":null,"event_public_id":"a"}"#, "'value' must be a finite number"),
    (#"{"value":1,"event_public_id":""}"#, "'event_public_id' must be a string of 1 to 64 characters"),
    (#"{"value":1,"event_public_id":7}"#, "'event_public_id' must be a string of 1 to 64 characters"),
    ("7", "it is not an object"), ("[]", "it is not an object"), ("NaN", "it is not an object"),
  ])
  func `A bad datapoint is named and does not take the good ones along`(bad: String, reason: String) throws {
    let batch = try batch(#"{"datapoints":[{"value":1,"event_public_id":"a"},\#(bad),{"value":2,"event_public_id":"b"}]}"#)
    #expect(batch.datapoints.map(\.index) == [0, 2])
    #expect(batch.refusals == [WebMACSRefusal(index: 1, reason: reason)])
  }

  @Test func `Numbers keep every digit, large ones are numbers, and names have 64 characters of any kind`() throws {
    let name = String(repeating: "é", count: 64)
    let batch = try batch(
      #"{"datapoints":[{"value":1e308,"event_public_id":"\#(name)"},{"value":0.10,"event_public_id":"a"},{"value":-0,"event_public_id":"b"}]}"#
    )
    #expect(batch.datapoints.map { String(decoding: $0.value, as: UTF8.self) } == ["1e308", "0.10", "-0"])
    #expect(batch.datapoints.first?.eventID == name)
    let tooLong = try self.batch(#"{"datapoints":[{"value":1,"event_public_id":"\#(name)e"}]}"#)
    #expect(tooLong.refusals.count == 1)
    let endless = try self.batch(#"{"datapoints":[{"value":0.\#(String(repeating: "3", count: 9000)),"event_public_id":"a"}]}"#)
    #expect(endless.datapoints.first.map { $0.value.count } ?? .max <= 32)
  }

  @Test(arguments: [
    ("[1]", "The message is not a JSON object"), ("", "The message is not a JSON object"), ("null", "The message is not a JSON object"),
    ("{}", "'datapoints' is missing or no array"), (#"{"datapoints":{}}"#, "'datapoints' is missing or no array"),
    (#"{"type":"subscribe"}"#, "Unknown message type 'subscribe'; a controller sends datapoints, ping or auth"),
    (#"{"type":"auth"}"#, "'token' is missing or no string"),
  ])
  func `What is no batch is refused by name`(text: String, message: String) { #expect(rejection(text) == message) }

  @Test func `Malformed JSON is refused with its place`() {
    for text in [
      "{\"datapoints\":[", "{\"datapoints\":[{\"value\":nan}]}", "{\"datapoints\":[]} x", "{\"datapoints\":[],\"datapoints\":[]}",
    ] {
      #expect(rejection(text)?.hasPrefix("The message is not valid: ") == true, "\(text)")
    }
  }

  @Test func `500 datapoints are a batch and 501 are none`() throws {
    let datapoint = #"{"value":1,"event_public_id":"a"}"#
    let full = "{\"datapoints\":[\(Array(repeating: datapoint, count: 500).joined(separator: ","))]}"
    #expect(try batch(full).datapoints.count == 500)
    #expect(
      rejection("{\"datapoints\":[\(Array(repeating: datapoint, count: 501).joined(separator: ","))]}") == "Batch exceeds 500 datapoints")
  }

  // MARK: On the bus

  @Test func `A batch is one event, whose readings are named by their sensors`() throws {
    let batch = try batch(
      #"{"datapoints":[{"value":1.50,"event_public_id":"a.b"},{"value":2,"event_public_id":"ü"},{"value":3,"event_public_id":"a.b"}]}"#)
    let (controller, time) = (try ApplianceID("LAB-1"), Timestamp(microseconds: 1_700_000_000_000_001))
    let event = WebMACSDatapoints.event(of: controller, at: time, experimentID: "exp-1", batch.datapoints)
    #expect(event.type == .datapoints && event.isTelemetry)
    let carried = try Event(parsing: event.encoded())
    #expect(
      carried.readings()
        == [("a.b", 1.5), ("ü", 2), ("a.b", 3)].map {
          Reading(applianceID: controller, metric: $0.0, timestamp: time, value: $0.1)
        })
    let (experiment, datapoints) = WebMACSDatapoints.read(carried.data)
    #expect(experiment == "exp-1" && datapoints == batch.datapoints)
    #expect(
      WebMACSDatapoints.read(WebMACSDatapoints.event(of: controller, at: time, experimentID: nil, batch.datapoints).data).experimentID
        == nil)
  }

  @Test func `An event of this type that somebody else wrote brings what it has and no more`() throws {
    let controller = try ApplianceID("LAB-1")
    for (data, count) in [
      ("{}", 0), (#"{"datapoints":7}"#, 0), (#"{"datapoints":[{"value":"x"},{"value":1,"event_public_id":"a"}],"temperature":5}"#, 1),
    ] {
      let event = Event(type: .datapoints, applianceID: controller, timestamp: Timestamp(microseconds: 0), data: Array(data.utf8))
      #expect(event.readings().count == count, "\(data)")
    }
  }
}
