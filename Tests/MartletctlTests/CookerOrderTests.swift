import Models
import Testing

@testable import Martletctl

@Suite struct `A simulated cooker that is commanded` {
  private let now = Timestamp(microseconds: 1_771_072_500_000_000)

  private func order(_ id: String, _ type: String = "cooking:start", issued: Duration = .zero) throws -> CookerOrder {
    let issuedAt = now + issued
    let command = Command(
      id: id, applianceID: try ApplianceID("EPIC-001"), type: try EventType(type), issuedAt: issuedAt, expiresAt: issuedAt + .seconds(10),
      data: Array(#"{"recipe_id":"recipe-uuid-001"}"#.utf8))
    return try #require(CookerOrder(command.encoded()))
  }

  private func cooker() -> EpicuraCooker {
    var cooker = EpicuraCooker(seed: 1, rates: .init(warning: 0, critical: 0, alert: 0), waitsForStart: true)
    _ = cooker.powerOn()
    return cooker
  }

  @Test func `it reads what the server sends`() throws {
    let order = try order("c-1")
    #expect(order.id == "c-1" && order.kind == .start(recipeID: "recipe-uuid-001") && order.issuedAt == now)
    #expect(order.expiresAt == now + .seconds(10))
    for payload in ["", "{}", #"{"command_id":"c","type":"cooking:fry","issued_at":"2026-02-14T12:30:00Z"}"#] {
      #expect(CookerOrder(Array(payload.utf8)) == nil)
    }
  }

  @Test func `it begins nothing by itself, and cooks what it is told until it is stopped`() throws {
    var cooker = cooker()
    #expect(cooker.advance(seconds: 10_000) == [])
    let begun = try cooker.obey(.start(recipeID: "recipe-uuid-001"))
    #expect(begun.map(\.type) == ["appliance:status", "cooking:started"])
    guard case .started(_, let recipe) = begun[1] else { return }
    #expect(recipe.id == "recipe-uuid-001")
    #expect(cooker.advance(seconds: 5).map(\.type) == ["cooking:progress"])
    #expect(try cooker.obey(.stop) == [.status(.online)])
    #expect(cooker.sessionsEnded == 1 && cooker.advance(seconds: 10_000) == [])
  }

  @Test func `no time passes while it is paused`() throws {
    var cooker = cooker()
    _ = try cooker.obey(.start(recipeID: "recipe-dal-tadka"))
    let before = cooker.advance(seconds: 1)
    #expect(try cooker.obey(.pause) == [])
    #expect(cooker.advance(seconds: 10_000) == [])
    #expect(try cooker.obey(.resume) == [])
    guard case .progress(let first) = before.last, case .progress(let second) = cooker.advance(seconds: 1).last else {
      return #expect(Bool(false))
    }
    #expect(first.stage == second.stage && (0...1).contains(first.remainingSeconds - second.remainingSeconds))
  }

  @Test func `what cannot be is refused with its reason`() throws {
    var cooker = cooker()
    #expect(throws: EpicuraCooker.Refusal.idle) { try cooker.obey(.pause) }
    #expect(throws: EpicuraCooker.Refusal.idle) { try cooker.obey(.resume) }
    #expect(try cooker.obey(.stop) == [], "stopped is what it is")
    _ = try cooker.obey(.start(recipeID: "r"))
    #expect(throws: EpicuraCooker.Refusal.busy) { try cooker.obey(.start(recipeID: "r")) }
    #expect(throws: EpicuraCooker.Refusal.notPaused) { try cooker.obey(.resume) }
    _ = cooker.powerOff()
    #expect(throws: EpicuraCooker.Refusal.off) { try cooker.obey(.start(recipeID: "r")) }
  }

  @Test func `one that cooks by itself waits for a start once it was stopped`() throws {
    var cooker = EpicuraCooker(seed: 1)
    _ = cooker.powerOn()
    #expect(cooker.advance(seconds: 20).contains { $0.type == "cooking:started" })
    _ = try cooker.obey(.stop)
    #expect(cooker.advance(seconds: 10_000) == [])
    #expect(try cooker.obey(.start(recipeID: "r")).count == 2)
  }

  @Test func `a command is carried out once, never late, and never after a stop that was sent later`() throws {
    var memory = OrderMemory()
    let start = try order("1")
    #expect(memory.judge(start, now: now) == .obey)
    #expect(memory.judge(start, now: now) == .ignore)
    #expect(memory.judge(try order("2"), now: now + .seconds(10)) == .ignore)
    #expect(memory.judge(try order("3", "cooking:stop", issued: .seconds(5)), now: now + .seconds(5)) == .obey)
    #expect(memory.judge(try order("4", issued: .seconds(4)), now: now + .seconds(6)) == .refuse("A stop was sent after this command."))
    #expect(memory.judge(try order("5", issued: .seconds(6)), now: now + .seconds(6)) == .obey)
    #expect(
      memory.judge(try order("6", "cooking:stop", issued: .seconds(1)), now: now + .seconds(6)) == .obey, "a stop is always the safe side")
  }

  @Test func `what it remembers is bounded`() throws {
    var memory = OrderMemory()
    for number in 0..<1000 { #expect(memory.judge(try order("\(number)"), now: now) == .obey) }
    #expect(memory.judge(try order("999"), now: now) == .ignore)
    #expect(memory.judge(try order("0"), now: now) == .obey)
  }
}
