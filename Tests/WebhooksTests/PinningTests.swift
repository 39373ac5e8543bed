import LocalStack
import Models
import OutboundGate
import Store
import Synchronization
import Testing

@testable import Webhooks

/// Where a message goes is decided by addresses that were checked, whatever name servers say.
@Suite(.timeLimit(.minutes(2)), .enabled(if: Tool.pypiPython != nil, "`make test` has not fetched standardwebhooks"))
struct PinningTests {
  @Test func `The connection goes to the address that was checked, under the name, and nobody is asked again`() async throws {
    try await Scene.run { scene in
      // No name server knows this name: whoever asked one would get nowhere.
      let webhook = try await scene.webhook("hook", "ok", url: "http://pinned.invalid:\(scene.receiver.port)/hook")
      let lookups = Mutex(0)
      let lookup: NameResolver.Lookup = { host in
        lookups.withLock { $0 += 1 }
        return host == "pinned.invalid" ? ["127.0.0.1"] : []
      }
      try await scene.emit(0..<5)
      try await scene.dispatching(lookup: lookup) {
        let webhookDeliveries = try await scene.settled(webhook, count: 5)
        #expect(webhookDeliveries.allSatisfy { $0.state == .delivered })
        #expect(scene.receiver.received("/hook").allSatisfy { $0.host == "pinned.invalid:\(scene.receiver.port)" })
        #expect(lookups.withLock { $0 } == 1)
      }
    }
  }

  @Test(arguments: [
    ["10.0.0.1"], ["127.0.0.1", "169.254.169.254"], ["::ffff:10.0.0.1"], ["fd00:ec2::254", "8.8.8.8"], ["not an address"],
  ])
  func `A name that leads to one address that is refused is not called at all`(addresses: [String]) async throws {
    try await Scene.run { scene in
      let webhook = try await scene.webhook("hook", "ok", url: "http://rebinding.invalid:\(scene.receiver.port)/hook")
      try await scene.emit(0..<1)
      try await scene.dispatching(lookup: { _ in addresses }) {
        let delivery = try #require(try await scene.settled(webhook, count: 1).first)
        #expect(delivery.state == .dead)
        #expect(delivery.attempts.allSatisfy { $0.failure == .addressRefused })
        #expect(scene.receiver.all.isEmpty)
        // Whoever owns the webhook does not learn what a name means in here.
        #expect(!addresses.contains { address in delivery.attempts.contains { $0.detail?.contains(address) == true } })
      }
    }
  }

  @Test func `What the configuration forbids is not called, though it was allowed once`() async throws {
    try await Scene.run { scene in
      let webhook = try await scene.webhook("hook", "ok")
      try await scene.emit(0..<1)
      var configuration = Scene.configuration()
      configuration.gate = OutboundGate()
      try await scene.dispatching(configuration) {
        let webhookDeliveries = try await scene.settled(webhook, count: 1)
        #expect(webhookDeliveries.first?.attempts.first?.failure == .urlRefused)
        #expect(scene.receiver.all.isEmpty)
      }
    }
  }

  @Test func `Without a connection the next address is tried, and a name without any is told`() async throws {
    try await Scene.run { scene in
      let webhook = try await scene.webhook("hook", "ok", url: "http://several.invalid:\(scene.receiver.port)/hook")
      let lost = try await scene.webhook("lost", "ok", url: "http://lost.invalid/")
      try await scene.emit(0..<1)
      try await scene.dispatching(lookup: { $0 == "several.invalid" ? ["127.0.0.9", "127.0.0.1"] : [] }) {
        let webhookDeliveries = try await scene.settled(webhook, count: 1)
        #expect(webhookDeliveries.first?.attempts.map(\.status) == [200])
        let lostDeliveries = try await scene.settled(lost, count: 1)
        #expect(lostDeliveries.first?.attempts.first?.failure == .nameNotResolved)
      }
    }
  }

  @Test func `TLS keeps the name, and a certificate for another is refused`() async throws {
    try await Scene.run(tls: true) { scene in
      let folder = scene.folder + "/tls"
      let secure = Receiver(in: folder, name: "secure")
      try await secure.running(tls: ("\(folder)/server.pem", "\(folder)/server.key")) {
        let named = try await scene.webhook("named", "ok", url: "https://localhost:\(secure.port)/named", at: secure)
        let other = try await scene.webhook("other", "ok", url: "https://other.invalid:\(secure.port)/other", at: secure)
        try await scene.emit(0..<1)
        var configuration = Scene.configuration()
        configuration.caFile = folder + "/ca.pem"
        try await scene.dispatching(configuration, lookup: { _ in ["127.0.0.2"] }) {
          let namedDeliveries = try await scene.settled(named, count: 1)
          #expect(namedDeliveries.first?.attempts.map(\.status) == [200])
          let otherDeliveries = try await scene.settled(other, count: 1)
          #expect(otherDeliveries.first?.attempts.first?.failure == .tlsFailed)
          #expect(secure.all.contains { $0.sni == "localhost" } && secure.all.contains { $0.sni == "other.invalid" })
          #expect(secure.received("/named").count == 1 && secure.received("/other").isEmpty)
        }
      }
    }
  }
}
