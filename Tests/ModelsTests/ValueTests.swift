import Models
import Testing

@Suite struct TimestampTests {
  @Test(arguments: [
    ("1970-01-01T00:00:00Z", 0), ("2026-02-14T12:30:00Z", 1_771_072_200_000_000), ("2026-02-14T12:30:00.250Z", 1_771_072_200_250_000),
    ("2000-02-29T23:59:59.000001Z", 951_868_799_000_001), ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
  ])
  func `ISO 8601 reads and writes back`(text: String, microseconds: Int) throws {
    let timestamp = try #require(Timestamp(iso8601: text))
    #expect(timestamp.microseconds == Int64(microseconds))
    #expect(timestamp.iso8601 == text)
  }

  @Test(arguments: [
    ("2026-02-14T14:30:00+02:00", "2026-02-14T12:30:00Z"), ("2026-02-14 06:00:00-06:30", "2026-02-14T12:30:00Z"),
    ("2026-02-14t12:30:00.1z", "2026-02-14T12:30:00.100Z"), ("2026-02-14T12:30:00.123456789Z", "2026-02-14T12:30:00.123456Z"),
    ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999Z"),
  ])
  func `Other forms come out in UTC`(text: String, normalised: String) throws {
    #expect(try #require(Timestamp(iso8601: text)).iso8601 == normalised)
  }

  @Test(arguments: [
    "", "2026-02-14", "2026-02-14T12:30:00", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-02-14T24:00:00Z", "2026-02-14T12:60:00Z",
    "2026-02-14T12:30:00.Z", "2026-02-14T12:30:00Z ", "1969-12-31T23:59:59Z", "2026-2-14T12:30:00Z", "2026-02-14T12:30:00+25:00",
    "20260214T123000Z",
  ])
  func `What is no moment is refused`(text: String) {
    #expect(Timestamp(iso8601: text) == nil)
  }
}

@Suite struct IdentifierTests {
  @Test(arguments: ["EPIC-001", "a", "PickleHeat.Heater", String(repeating: "x", count: 64), "..", "_"])
  func `An appliance id is what SPEC allows`(text: String) throws {
    #expect(try ApplianceID(text).rawValue == text)
  }

  @Test(arguments: ["", String(repeating: "x", count: 65), "a b", "a/b", "é", "a*", "a\0", "{1}", "a\n", "+", "#"])
  func `Anything else is refused by name`(text: String) {
    #expect(throws: ModelError.invalidApplianceID(text)) { try ApplianceID(text) }
  }

  @Test func `Event ids order by time, then sequence`() throws {
    let ids = try ["5-1", "5-2", "10-0"].map { try #require(EventID($0)) }
    #expect(ids == ids.sorted())
    #expect(ids.map(\.description) == ["5-1", "5-2", "10-0"])
    for text in ["", "5", "5-", "-5", "5-x", "+5-1", "5-+1", "5-1-1", "99999999999999999999-0"] { #expect(EventID(text) == nil) }
  }

  @Test func `Shards are stable and all are used`() throws {
    #expect(Bus.shard(of: try ApplianceID("EPIC-001")) == 2)
    #expect(Bus.shard(of: try ApplianceID("PickleHeat.Heater")) == 8)
    let used = try Set((0..<1000).map { Bus.shard(of: try ApplianceID("EPIC-\($0)")) })
    #expect(used == Set(0..<Bus.shardCount))
  }

  @Test func `Keys of an appliance share its shard's hash tag`() throws {
    let id = try ApplianceID("EPIC-001")
    let tag = "{\(Bus.shard(of: id))}"
    for key in [Bus.state(id), Bus.history(id), Bus.events(Bus.shard(of: id)), Bus.epoch(Bus.shard(of: id))] { #expect(key.contains(tag)) }
    #expect(Bus.live(id) == "ws:EPIC-001")
  }

  @Test func `Only telemetry may be conflated`() throws {
    for name in ["cooking:progress", "telemetry", "telemetry.realtime", "telemetry:fast"] { #expect(try EventType(name).isTelemetry) }
    for name in ["cooking:error", "cooking:stage_change", "appliance:alert", "appliance:status", "telemetrics", "anything"] {
      #expect(try !EventType(name).isTelemetry)
    }
  }
}
