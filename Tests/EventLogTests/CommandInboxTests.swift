import Models
import RedisClient
import Testing

@testable import EventLog

@Suite struct CommandInboxTests {
  private let start = ContinuousClock.now

  private func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

  private func commands(_ ids: Int...) throws -> Result<[QueuedCommand], any Error> {
    .success(
      try ids.map { id in
        let command = Command(
          id: "\(id)", applianceID: try ApplianceID("A"), type: try EventType("cooking:start"), issuedAt: .now(), expiresAt: .now())
        return QueuedCommand(command: command, isNew: true, place: EventID(milliseconds: 1, sequence: UInt64(id)))
      })
  }

  private func ids(_ commands: [QueuedCommand]) -> [String] { commands.map(\.command.id) }

  @Test func `Commands come out as they came in, no more than are wanted, and not when they have lain too long`() throws {
    var inbox = CommandInbox(freshFor: .milliseconds(100))
    #expect(inbox.begin(0..<2) == [0, 1])
    let isSomethingThere = [
      inbox.finish(1, try commands(1, 2, 3), at: at(0)), inbox.finish(0, try commands(4), at: at(60)),
    ]
    #expect(isSomethingThere == [true, true])
    #expect(ids(inbox.take(2, at: at(60))) == ["1", "2"])
    #expect(ids(inbox.take(5, at: at(110))) == ["4"], "another replica may have the third by now")
    #expect(inbox.take(5, at: at(110)).isEmpty == true)
  }

  @Test func `A shard is read by one at a time, and nobody waits when all reads are over`() throws {
    var inbox = CommandInbox(freshFor: .seconds(1))
    #expect(inbox.begin(0..<3) == [0, 1, 2])
    #expect(inbox.finish(1, try commands(), at: at(0)) == false)
    #expect(inbox.begin(0..<3) == [1])
    #expect(inbox.finish(0, try commands(), at: at(1)) == false)
    #expect(inbox.finish(1, try commands(), at: at(1)) == false)
    #expect(inbox.finish(2, try commands(), at: at(1)) == true)
  }

  @Test func `Shards that cannot be read are no reason to complain until all are`() throws {
    var inbox = CommandInbox(freshFor: .seconds(1))
    let failure = RedisError(.unreachable, "nobody there")
    _ = inbox.begin(0..<2)
    _ = inbox.finish(0, .failure(failure), at: at(0))
    #expect(inbox.failure(of: 2) == nil)
    _ = inbox.finish(1, .failure(failure), at: at(0))
    #expect(inbox.failure(of: 2) as? RedisError == failure)
    _ = inbox.begin(0..<2)
    _ = inbox.finish(0, try commands(), at: at(0))
    #expect(inbox.failure(of: 2) == nil)
  }
}
