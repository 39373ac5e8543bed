import Models
import Testing

@testable import RuleEvaluation

/// 2026-02-14T12:00:00Z.
let noon = Timestamp(microseconds: 1_771_070_400_000_000)

func rule(_ members: String, id: String = "r") throws -> Rule { try Rule(parsing: Array(#"{"id":"\#(id)",\#(members)}"#.utf8)) }

/// One appliance under some rules, and what they said.
struct Bench {
  var state = ApplianceState()
  var rules: RuleSet
  let applianceID: ApplianceID
  private(set) var story: [String] = []
  private(set) var lateCount = 0

  init(_ rules: Rule..., dialect: Dialect? = nil) throws {
    let id = try ApplianceID("A-1")
    self.rules = RuleSet(rules.filter { $0.scope.contains(id, dialect: dialect) })
    applianceID = id
  }

  /// A sample of `t` at `second`, by the device's clock at `device`.
  mutating func hear(_ value: String, at second: Double, device: Double? = nil) throws {
    try happen("telemetry", #"{"t":\#(value)}"#, at: second, device: device)
  }

  mutating func happen(_ type: String, _ data: String = "{}", at second: Double, device: Double? = nil) throws {
    let event = Event(
      type: try EventType(type), applianceID: applianceID, timestamp: noon + .seconds(device ?? second), data: Array(data.utf8))
    let evaluation = state.take(event, at: noon + .seconds(second), &rules)
    lateCount += evaluation.lateCount
    tell(evaluation.effects)
  }

  mutating func pass(to second: Double) { tell(state.advance(to: noon + .seconds(second), rules, of: applianceID)) }

  /// Goes through the bytes in which the state is stored.
  mutating func store() throws { state = try #require(ApplianceState(state.encoded())) }

  private mutating func tell(_ effects: [RuleEffect]) {
    for effect in effects {
      switch effect {
      case .fired(let firing): story.append("\(firing.ruleID) fired \(Int((firing.at - noon) / .seconds(1)))")
      case .cleared(let clearing): story.append("\(clearing.ruleID) cleared \(Int((clearing.at - noon) / .seconds(1)))")
      }
    }
  }
}
