import Logging
import MQTTClient
import ServiceLifecycle
import Testing

@testable import Ingest

@Suite("Back-pressure")
struct LogValveTests {
  @Test func `the budget is exceeded past its share and is back only with room to spare`() {
    var budget = LogBudget(percentMax: 80)
    let states = [799, 800, 801, 790, 761, 760].map { used in
      budget.update(usedBytes: used, limitBytes: 1000)
      return budget.isExceeded
    }
    #expect(states == [false, false, true, true, true, false])
    budget.update(usedBytes: .max, limitBytes: nil)
    #expect(!budget.isExceeded)
  }

  @Test func `a closed valve holds until it opens`() async throws {
    let valve = LogValve()
    try await valve.pass()
    valve.set(isOpen: false)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<3 { group.addTask { try await valve.pass() } }
      valve.set(isOpen: true)
      try await group.waitForAll()
    }
  }

  @Test func `shutdown does not wait at a closed valve`() async throws {
    let valve = LogValve()
    valve.set(isOpen: false)
    let (outcome, told) = AsyncStream.makeStream(of: Bool.self)
    let service = Waiting {
      do { try await valve.pass() } catch { told.yield(error is CancellationError) }
      told.finish()
    }
    let services = ServiceGroup(
      configuration: .init(services: [.init(service: service, successTerminationBehavior: .gracefullyShutdownGroup)], logger: quiet))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await services.run() }
      await services.triggerGracefulShutdown()
      try await group.waitForAll()
    }
    #expect(try await next(1, of: outcome) == [true])
  }

  private struct Waiting: Service {
    let body: @Sendable () async -> Void
    func run() async throws { await body() }
  }

  private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  @Test func `waiting at a closed valve can be cancelled`() async {
    let valve = LogValve()
    valve.set(isOpen: false)
    await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await valve.pass() }
      group.cancelAll()
      await #expect(throws: CancellationError.self) { try await group.next() }
    }
  }
}

@Suite("Link to the broker")
struct BrokerLinkTests {
  @Test func `it is up from the grant of what is needed to the end of the connection`() throws {
    let link = BrokerLink(.subscribing)
    let (refusal, loss) = (MQTTError(.refused, "refused"), MQTTError(.connectionLost, "lost"))
    #expect(throws: MQTTError.self) { try link.check() }
    link.observe(.connected(sessionPresent: false))
    link.observe(.subscriptionRefused(filter: "needed", refusal))
    #expect(throws: refusal) { try link.check() }
    link.observe(.subscribed)
    link.observe(.subscriptionRefused(filter: "optional", refusal))
    try link.check()
    link.observe(.disconnected(loss))
    #expect(throws: loss) { try link.check() }
  }

  @Test func `one that only publishes is up from its connection on`() throws {
    let link = BrokerLink(.publishing)
    #expect(throws: MQTTError.self) { try link.check() }
    link.observe(.connected(sessionPresent: false))
    try link.check()
    link.observe(.disconnected(MQTTError(.connectionLost, "lost")))
    #expect(throws: MQTTError.self) { try link.check() }
  }
}
