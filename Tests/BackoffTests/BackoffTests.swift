import Backoff
import Testing

@Suite struct BackoffTests {
  @Test func `The bound doubles up to the longest wait, and begins anew after success`() {
    var backoff = Backoff(shortest: .milliseconds(100), longest: .seconds(1))
    let waits = (0..<6).map { _ in backoff.next(random: 1) }
    #expect(waits == [.milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800), .seconds(1), .seconds(1)])
    backoff.reset()
    #expect(backoff.next(random: 1) == .milliseconds(100))
  }

  @Test func `Jitter covers the whole range, but a loop never spins`() {
    var backoff = Backoff(shortest: .milliseconds(100), longest: .seconds(1))
    #expect(backoff.next(random: 0) == .milliseconds(10))
    #expect(backoff.next(random: 0.5) == .milliseconds(100))
  }

  @Test func `Trying for ever does not overflow`() {
    var backoff = Backoff(shortest: .seconds(1), longest: .seconds(30))
    for _ in 0..<1000 { #expect(backoff.next(random: 1) <= .seconds(30)) }
  }
}
