import Models
import Testing

@testable import AuditTrail

@Suite("What a flood of audit entries comes to")
struct AuditLimiterTests {
  private static let start = Timestamp(microseconds: 1_772_226_910_000_000)

  private func entry(
    _ action: AuditEntry.Action, _ result: AuditEntry.Result, from address: String = "192.0.2.1", userID: String? = nil
  ) -> AuditEntry {
    AuditEntry(
      id: String(repeating: "0", count: 32), at: Self.start, service: "test", action: action, result: result, userID: userID,
      address: address, detail: "why")
  }

  @Test func `ten refusals of an address are told in a minute, and the rest as one with a count`() throws {
    var limiter = AuditLimiter()
    var early = limiter.summaries(now: Self.start)
    let passed = (1...1000).count { _ in limiter.passes(entry(.authentication, .refused)) }
    let other = limiter.passes(entry(.authentication, .refused, from: "192.0.2.2"))
    early += limiter.summaries(now: Self.start + .seconds(59))
    #expect(passed == 10 && other && early.isEmpty)
    let summaries = limiter.summaries(now: Self.start + .seconds(60))
    #expect(summaries.map(\.count) == [990] && summaries[0].address == "192.0.2.1")
    #expect(summaries[0].detail == "the last of 990 more within a minute: why")
    let again = limiter.passes(entry(.authentication, .refused))
    #expect(again)
  }

  @Test func `a flood from everywhere is bounded, and nothing of it goes uncounted`() {
    var limiter = AuditLimiter()
    _ = limiter.summaries(now: Self.start)
    let count = 50_000
    let passed = (0..<count).count { limiter.passes(entry(.authentication, .refused, from: "10.0.\($0 / 250).\($0 % 250)")) }
    #expect(passed == AuditLimiter.refusalsOfAllMax)
    let summaries = limiter.summaries(now: Self.start + .seconds(60))
    #expect(summaries.count <= 257)
    #expect(summaries.reduce(0) { $0 + $1.count } == count - passed)
  }

  @Test func `what a user does is told longer, and every command`() {
    var limiter = AuditLimiter()
    let subscriptions = (1...1000).count { _ in limiter.passes(entry(.subscriptionBegun, .done, userID: "ann")) }
    #expect(subscriptions == AuditLimiter.othersMax)
    let commands = (1...1000).count { _ in limiter.passes(entry(.commandRequested, .done, userID: "ann")) }
    #expect(commands == 1000)
    let summaries = limiter.summaries(now: Self.start, isLast: true)
    #expect(summaries.map(\.count) == [1000 - AuditLimiter.othersMax])
  }

  @Test func `an entry goes through Redis whole, and what is too long is cut`() throws {
    let entry = AuditEntry(
      id: "0123456789abcdef0123456789abcdef", at: Self.start, service: "gateway", action: .commandRequested, result: .failed,
      userID: "a\"n",
      applianceID: "EPIC-001", commandID: "c", address: "::1", detail: String(repeating: "é", count: 200), count: 3)
    #expect(try #require(AuditEntry(parsing: entry.encoded())) == entry)
    #expect(entry.detail.utf8.count <= AuditEntry.textBytesMax)
    #expect(AuditEntry(parsing: Array(#"{"id":"x"}"#.utf8)) == nil && AuditEntry(parsing: []) == nil)
  }
}
