import EventLog
import Models
import Synchronization
import Testing

@Suite struct MemoryEventLogTests {
  @Test func `The log in memory keeps the contract`() async throws {
    var limits = LogLimits()
    limits.window = 256
    limits.history = 16
    limits.typesPerAppliance = 8
    limits.openCommandsPerAppliance = 4
    let log = MemoryEventLog(limits: limits)
    let heard = Mutex<[(channel: String, message: [UInt8])]>([])
    log.listen { channel, message in heard.withLock { $0.append((channel, message)) } }
    let contract = EventLogContract(
      log: log, limits: limits, flush: { log.flush() },
      published: { count in
        let messages = heard.withLock { heard in
          defer { heard = [] }
          return heard
        }
        #expect(messages.count == count)
        return messages
      })
    try await contract.check()
  }
}
