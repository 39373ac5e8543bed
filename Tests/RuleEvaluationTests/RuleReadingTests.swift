import Models
import Testing

@testable import RuleEvaluation

@Suite struct RuleReadingTests {
  @Test func `A whole rule is read`() throws {
    let rule = try rule(
      #"""
      "name":"Oil too hot","severity":"critical","appliances":["EPIC-*"],"dialects":["epicura"],
      "when":{"metric":"temperature","operator":">","value":200,"clear":190},"for_seconds":5,"cooldown_seconds":60,
      "hours":{"from":"06:00","until":"22:00"},"actions":{"alarm":true,"command":{"type":"cooking:stop"}}
      """#)
    #expect(rule.name == "Oil too hot" && rule.severity == .critical && rule.isEnabled && rule.holdFor == .seconds(5))
    #expect(rule.actions.alarm && !rule.actions.webhook && rule.actions.command?.type.rawValue == "cooking:stop")
    let (cooker, other) = (try ApplianceID("EPIC-001"), try ApplianceID("B"))
    #expect(rule.scope.contains(cooker, dialect: .epicura) && !rule.scope.contains(cooker, dialect: nil))
    #expect(!rule.scope.contains(other, dialect: .epicura))
  }

  @Test func `Without actions a rule raises, calls and tells`() throws {
    let rule = try rule(#""when":{"event":"x"}"#)
    #expect(rule.actions.alarm && rule.actions.webhook && rule.actions.event && rule.actions.command == nil)
  }

  @Test(arguments: [
    (#""when":{"metric":"t","operator":">","value":5,"clear":6}"#, "when.clear"),
    (#""when":{"metric":"t","operator":"<","value":5,"clear":4}"#, "when.clear"),
    (#""when":{"metric":"t","operator":"==","value":5,"clear":5}"#, "when.clear"),
    (#""when":{"metric":"t","operator":"between","low":5,"high":5}"#, "when.low"),
    (#""when":{"metric":"t","operator":"between","low":1,"high":5,"clear_low":2}"#, "when.clear_low"),
    (#""when":{"metric":"t","operator":"outside","low":1,"high":5,"clear_high":6}"#, "when.clear_high"),
    (#""when":{"metric":"t","operator":">","value":1e309}"#, "when.value"),
    (#""when":{"metric":"t","operator":">","value":"NaN"}"#, "when.value"),
    (#""when":{"metric":"t","operator":"~","value":1}"#, "when.operator"), (#""when":{"operator":">","value":1}"#, "when.metric"),
    (#""when":{"metric":"t","operator":">","value":1,"no_data_seconds":5}"#, "when"), (#""when":{}"#, "when"), (#""name":"x""#, "when"),
    (#""when":{"event":"x","metric":"t"}"#, "when.metric"), (#""when":{"event":"x"},"for_seconds":5"#, "for_seconds"),
    (#""when":{"no_data_seconds":5},"for_seconds":5"#, "for_seconds"), (#""when":{"no_data_seconds":1e9}"#, "when.no_data_seconds"),
    (#""when":{"event":"x","where":[{"field":"a","operator":">","value":"b"}]}"#, "when.where[0].operator"),
    (#""when":{"event":"x"},"colour":1"#, "colour"), (#""when":{"event":"x"},"dialects":["latin"]"#, "dialects"),
    (#""when":{"event":"x"},"severity":"awful""#, "severity"),
    (#""when":{"event":"x"},"hours":{"from":"25:00","until":"06:00"}"#, "hours.from"),
    (#""when":{"event":"x"},"hours":{"from":"06:00","until":"06:00"}"#, "hours"), (#""when":{"event":"x"},"actions":{}"#, "actions"),
    (#""when":{"event":"*"},"actions":{"command":{"type":"go"}}"#, "actions.command"),
    (#""when":{"event":"command:failed"},"actions":{"command":{"type":"go"}}"#, "actions.command"),
    (#""when":{"event":"x"},"actions":{"command":{"type":"go","data":[]}}"#, "actions.command.data"),
  ])
  func `What is wrong is named`(members: String, path: String) throws {
    let error = #expect(throws: RuleError.self) { try rule(members) }
    #expect(error?.path == path, "\(error?.description ?? "")")
  }

  @Test func `An id that is none, and text that is no object, are refused`() throws {
    #expect(throws: RuleError.self) { try rule(#""when":{"event":"x"}"#, id: "a b") }
    #expect(throws: RuleError.self) { try Rule(parsing: Array("[]".utf8)) }
    #expect(throws: RuleError.self) { try Rule(parsing: Array(repeating: 32, count: 20_000)) }
  }

  @Test func `A star stands for any run of characters`() throws {
    for (pattern, name, expected) in [
      ("*", "", true), ("a*", "a", true), ("a*c", "abbc", true), ("a*c", "abcd", false), ("*.t", "x.y.t", true), ("a*b*c", "aXbYbZc", true),
      ("a", "A", false), ("ab", "a", false),
    ] { #expect(try #require(Pattern(pattern)).matches(name) == expected, "\(pattern) \(name)") }
  }

  @Test func `Another condition is another key, another name is not`() throws {
    let key = try rule(#""when":{"event":"x"}"#).key
    #expect(try rule(#""name":"y","when":{"event":"x"}"#).key == key)
    #expect(try rule(#""when":{"event":"z"}"#).key != key)
    #expect(try rule(#""when":{"event":"x"}"#, id: "s").key != key)
  }
}
