import Models
import Testing

@testable import Store
@testable import Webhooks

@Suite struct RetryTests {
  @Test func `Retries come after 5 s, 5 min, 30 min, 2 h, 5 h, 10 h and 10 h, and then no more`() {
    let delays = (1...9).map { RetrySchedule.standard.delay(afterFailures: $0, random: 0) }
    #expect(delays == [5, 300, 1800, 7200, 18_000, 36_000, 36_000].map { .seconds($0) } + [nil, nil])
  }

  @Test func `A retry is never early and at most a tenth late`() throws {
    for failures in 1...7 {
      let (least, most) = (
        try #require(RetrySchedule.standard.delay(afterFailures: failures, random: 0)),
        try #require(RetrySchedule.standard.delay(afterFailures: failures, random: 1))
      )
      #expect(most > least && most <= least * 1.1 + .milliseconds(1))
    }
  }

  @Test func `What the receiver asks for is kept, up to a day`() {
    let schedule = RetrySchedule.standard
    #expect(schedule.delay(afterFailures: 1, retryAfter: .seconds(60), random: 0) == .seconds(60))
    #expect(schedule.delay(afterFailures: 2, retryAfter: .seconds(60), random: 0) == .seconds(300))
    #expect(schedule.delay(afterFailures: 1, retryAfter: .seconds(1_000_000), random: 0) == .seconds(86_400))
    #expect(schedule.delay(afterFailures: 8, retryAfter: .seconds(60), random: 0) == nil)
  }

  private let now = Timestamp(microseconds: 784_111_777_000_000)  // 1994-11-06T08:49:37Z

  @Test(arguments: [
    ("120", 120), (" 0 ", 0), ("Sun, 06 Nov 1994 08:50:37 GMT", 60), ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
    ("Sat, 05 Nov 1994 08:49:37 GMT", 0),
  ])
  func `Retry-After is seconds or a moment`(text: String, seconds: Int) {
    #expect(RetryAfter.parse(text, now: now) == .seconds(seconds))
  }

  @Test(arguments: [
    "", "-1", "1.5", "soon", "1000000000", "Sun, 06 Nov 1994 08:49:37", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun, 06 Foo 1994 08:49:37 GMT", "١٢",
  ])
  func `A Retry-After that is neither is none`(text: String) { #expect(RetryAfter.parse(text, now: now) == nil) }
}

/// Values to decide about.
enum Samples {
  static let webhooks = (0..<9).map { number in WebhookID("00000000-0000-0000-0000-00000000000\(number)") }

  static func endpoint(_ number: Int, inFlightMax: Int = 8, isFailing: Bool = false) throws -> WebhookQueue.Endpoint {
    WebhookQueue.Endpoint(
      id: try #require(webhooks[number]), url: "https://example.org/", inFlightMax: inFlightMax, isFailing: isFailing,
      secrets: [WebhookSecret()])
  }

  static func claim(_ number: Int = 0, failures: Int = 0) throws -> WebhookQueue.Claim {
    WebhookQueue.Claim(
      deliveryID: 1, webhookID: try #require(webhooks[number]), messageID: WebhookMessageID(.alarmRaised, key: "1"), lease: 1,
      attempt: failures + 1, failureCount: failures, dueAt: start, body: [])
  }

  static let start = Timestamp(microseconds: 1_771_070_400_000_000)
}

@Suite struct VerdictTests {
  private func verdict(
    _ outcome: AttemptOutcome, failures: Int = 0, inFlightMax: Int = 8, isFailing: Bool = false
  ) throws -> Verdict {
    Verdict(
      outcome, of: try Samples.claim(failures: failures), at: try Samples.endpoint(0, inFlightMax: inFlightMax, isFailing: isFailing),
      startedAt: Samples.start, endedAt: Samples.start + .milliseconds(250), schedule: .standard, random: 0)
  }

  private func answered(_ status: Int, _ retryAfter: String? = nil) -> AttemptOutcome {
    .answered(status: status, retryAfter: retryAfter, excerpt: "body")
  }

  private let end = Samples.start + .milliseconds(250)

  @Test(arguments: [200, 201, 204, 299]) func `2xx is success`(status: Int) throws {
    let verdict = try verdict(answered(status))
    #expect(verdict.result.next == .delivered)
    #expect(verdict.result.attempt.failure == nil)
    #expect(verdict.result.attempt.duration_ms == 250)
    #expect(!verdict.standing.hasFailed)
  }

  @Test(arguments: [100, 300, 301, 307, 400, 404, 429, 500, 503]) func `Anything else is tried again`(status: Int) throws {
    let verdict = try verdict(answered(status))
    #expect(verdict.result.next == .retry(at: end + .seconds(5)))
    #expect(verdict.result.attempt.failure == .status)
    #expect(verdict.standing.hasFailed && !verdict.standing.isGone && verdict.standing.heldUntil == nil)
  }

  @Test func `410 gives the delivery up and the webhook too`() throws {
    let verdict = try verdict(answered(410))
    #expect(verdict.result.next == .dead)
    #expect(verdict.standing.isGone)
  }

  @Test func `A redirect is told as one`() throws {
    #expect(try verdict(answered(302)).result.attempt.detail?.contains("not followed") == true)
  }

  @Test func `After the last retry a delivery is dead`() throws {
    #expect(try verdict(.failed(.timeout, "late"), failures: 6).result.next == .retry(at: end + .seconds(36_000)))
    #expect(try verdict(.failed(.timeout, "late"), failures: 7).result.next == .dead)
  }

  @Test func `A receiver that names a time holds its whole webhook until then`() throws {
    let verdict = try verdict(answered(429, "60"))
    #expect(verdict.result.next == .retry(at: end + .seconds(60)))
    #expect(verdict.standing.heldUntil == end + .seconds(60))
    #expect(try self.verdict(answered(500, "60")).standing.heldUntil == nil)
  }

  @Test func `Where order matters the line waits for its head's first retry, and then goes on without it`() throws {
    let first = try verdict(answered(500), inFlightMax: 1)
    #expect(first.result.next == .retry(at: nil))
    #expect(first.standing.heldUntil == end + .seconds(5))
    let second = try verdict(answered(500), failures: 1, inFlightMax: 1)
    #expect(second.result.next == .retry(at: end + .seconds(300)))
    #expect(second.standing.heldUntil == nil)
  }

  @Test func `Of several attempts the newest tells how a webhook is doing, and success is news only after failure`() throws {
    #expect(WebhookDispatcher.standings([try verdict(answered(200))]).isEmpty)
    #expect(WebhookDispatcher.standings([try verdict(answered(200), isFailing: true)]).map(\.hasFailed) == [false])
    let both = WebhookDispatcher.standings([try verdict(answered(410)), try verdict(answered(503, "9")), try verdict(answered(500))])
    #expect(both.map(\.isGone) == [true])
    #expect(both.map(\.heldUntil) == [end + .seconds(9)])
  }
}

@Suite struct EndpointSlotsTests {
  private func slots(total: Int = 16, troubled: Int = 4) -> EndpointSlots {
    EndpointSlots(EndpointSlots.Limits(total: total, troubled: troubled, slow: .seconds(2)))
  }

  @Test func `Places are dealt out in turn, none gets more than it may`() throws {
    let endpoints = [
      try Samples.endpoint(0, inFlightMax: 64), try Samples.endpoint(1, inFlightMax: 2), try Samples.endpoint(2, inFlightMax: 64),
    ]
    #expect(slots().allowances(for: endpoints).map(\.count) == [7, 2, 7])
    #expect(slots(total: 2).allowances(for: endpoints).map(\.count) == [1, 1])
  }

  @Test func `A webhook in trouble gets one place, and all of those a part`() throws {
    let failing = try (0..<6).map { try Samples.endpoint($0, isFailing: true) }
    #expect(slots().allowances(for: failing + [try Samples.endpoint(7)]).map(\.count) == [1, 1, 1, 1, 8])
  }

  @Test(arguments: [(false, 0.1), (true, 3.0)]) func `Who fails or is slow is in trouble until it succeeds quickly`(
    ok: Bool, seconds: Double
  ) throws {
    var slots = slots()
    let endpoint = try Samples.endpoint(0)
    slots.began(endpoint)
    slots.ended(endpoint.id, succeeded: ok, in: .seconds(seconds))
    #expect(slots.allowances(for: [endpoint]).map(\.count) == [1])
    slots.began(endpoint)
    #expect(slots.busy == [endpoint.id])
    #expect(slots.allowances(for: [endpoint]).isEmpty)
    slots.ended(endpoint.id, succeeded: true, in: .milliseconds(5))
    #expect(slots.allowances(for: [endpoint]).map(\.count) == [8])
    #expect(slots.inFlight == 0)
  }

  @Test func `However attempts begin and end, the counts come back to nothing`() throws {
    var generator = SystemRandomNumberGenerator()
    var slots = slots(total: 64, troubled: 64)
    var running: [WebhookQueue.Endpoint] = []
    for step in 0..<2000 {
      if step < 1500, Bool.random(using: &generator) || running.isEmpty {
        let endpoint = try Samples.endpoint(Int.random(in: 0..<9))
        guard !slots.allowances(for: [endpoint]).isEmpty else { continue }
        slots.began(endpoint)
        running.append(endpoint)
      } else if !running.isEmpty {
        let endpoint = running.remove(at: Int.random(in: running.indices))
        slots.ended(endpoint.id, succeeded: Bool.random(), in: .milliseconds(1))
      }
      #expect(slots.inFlight == running.count)
    }
    for endpoint in running { slots.ended(endpoint.id, succeeded: true, in: .zero) }
    #expect(slots.inFlight == 0)
    // Whatever they were before, all four places for troubled ones are there again.
    let failing = try (0..<9).map { try Samples.endpoint($0, isFailing: true) }
    #expect(slots.allowances(for: failing).count == 9)
  }
}
