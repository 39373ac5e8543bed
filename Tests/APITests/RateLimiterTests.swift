import HTTPTypes
import Testing

@testable import API

@Suite struct RateLimiterTests {
  private let start = ContinuousClock.now

  @Test func `A burst is allowed at once, and then one for each interval`() {
    var limiter = RateLimiter(burst: 3, interval: .seconds(10))
    for _ in 0..<3 { #expect(limiter.take(7, at: start) == nil) }
    #expect(limiter.take(7, at: start) == .seconds(10))
    #expect(limiter.take(7, at: start + .seconds(4)) == .seconds(6), "a refusal costs nothing")
    #expect(limiter.take(7, at: start + .seconds(10)) == nil)
    #expect(limiter.take(7, at: start + .seconds(10)) == .seconds(10))
    #expect(limiter.take(8, at: start) == nil, "another key has its own allowance")
  }

  @Test func `What is given back can be taken again, and no more than there was`() {
    var limiter = RateLimiter(burst: 1, interval: .seconds(10))
    #expect(limiter.take(1, at: start) == nil)
    limiter.giveBack(1, at: start)
    limiter.giveBack(1, at: start)
    #expect(limiter.take(1, at: start) == nil)
    #expect(limiter.take(1, at: start) != nil)
  }

  @Test func `Memory is bounded, and a key is forgotten only after many others came`() {
    var limiter = RateLimiter(burst: 1, interval: .seconds(1000), keysMax: 100)
    #expect(limiter.take(-1, at: start) == nil)
    for key in 0..<99 { _ = limiter.take(key, at: start) }
    #expect(limiter.take(-1, at: start) != nil)
    for key in 0..<10_000 { _ = limiter.take(key, at: start) }
    #expect(limiter.keyCount <= 200)
    #expect(limiter.take(-1, at: start) == nil)
  }
}

@Suite struct LoginGuardTests {
  private func refusal(_ body: () throws(Problem) -> Void) -> Problem? {
    do { try body() } catch { return error }
    return nil
  }

  @Test func `One address may try so often, whatever accounts it names`() throws {
    let limits = LoginGuard(.init(perAddress_per_minute: 5, perAccount_per_minute: 100))
    for account in 0..<5 { _ = try limits.admit(address: "192.0.2.1", account: "user \(account)") }
    let problem = try #require(refusal { () throws(Problem) in _ = try limits.admit(address: "192.0.2.1", account: "another") })
    #expect(problem.code == .tooManyAttempts)
    #expect(problem.headers[.retryAfter] == "12")
    _ = try limits.admit(address: "192.0.2.2", account: "another")
  }

  @Test func `All addresses of an IPv6 network count as one`() throws {
    let limits = LoginGuard(.init(perAddress_per_minute: 2, perAccount_per_minute: 100))
    _ = try limits.admit(address: "2001:db8:1:2::1", account: "a")
    _ = try limits.admit(address: "2001:db8:1:2:ffff::2", account: "b")
    #expect(refusal { () throws(Problem) in _ = try limits.admit(address: "2001:db8:1:2::3", account: "c") } != nil)
    #expect(refusal { () throws(Problem) in _ = try limits.admit(address: "2001:db8:1:3::3", account: "c") } == nil)
  }

  @Test func `Wrong passwords close an account for a while, right ones do not`() throws {
    let limits = LoginGuard(.init(perAddress_per_minute: 1000, perAccount_per_minute: 3))
    for attempt in 0..<20 { limits.succeeded(try limits.admit(address: "192.0.2.\(attempt)", account: "demo")) }
    for attempt in 0..<3 { _ = try limits.admit(address: "192.0.2.\(attempt)", account: "demo") }
    #expect(refusal { () throws(Problem) in _ = try limits.admit(address: "192.0.2.99", account: "demo") }?.code == .tooManyAttempts)
    #expect(refusal { () throws(Problem) in _ = try limits.admit(address: "192.0.2.99", account: "other") } == nil)
  }
}
