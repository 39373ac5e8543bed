import EventLog
import MQTTClient
import Models
import Testing

@testable import Ingest

@Suite("What becomes of a command in hand")
struct CommandSendingTests {
  private let now = TranslationTests.receivedAt

  private func command(_ id: String, _ type: String = "cooking:start", in lifetime: Duration = .seconds(10)) throws -> Command {
    Command(id: id, applianceID: try ApplianceID("a"), type: try EventType(type), issuedAt: now, expiresAt: now + lifetime)
  }

  private func open(_ command: Command, isSent: Bool = false) -> OpenCommand {
    OpenCommand(
      id: command.id, applianceID: command.applianceID, type: command.type, expiresAt: command.expiresAt, isUrgent: command.isUrgent,
      isSent: isSent)
  }

  private func step(_ command: Command, _ open: [OpenCommand]?) -> SendStep {
    SendStep(command, among: open, now: now, version: .v5)
  }

  private func publication(_ command: Command, version: MQTTConfiguration.ProtocolVersion = .v5) -> MQTTPublication {
    MQTTPublication(command, now: now, version: version)
  }

  @Test func `a command that waits is published`() throws {
    let start = try command("1")
    #expect(step(start, [open(start)]) == .publish(publication(start)))
  }

  @Test func `one that is sent, settled or expired is dropped`() throws {
    let start = try command("1")
    #expect(step(start, [open(start, isSent: true)]) == .drop)
    #expect(step(start, []) == .drop)
    #expect(try step(start, [open(command("2"))]) == .drop)
    let expired = try command("1", in: .zero)
    #expect(step(expired, [open(expired)]) == .drop)
  }

  @Test func `a stop overtakes what is unsent, and what was sent stays`() throws {
    let (unsent, sent, stop) = (try command("1"), try command("2", "cooking:pause"), try command("3", "cooking:stop"))
    let others = [open(unsent), open(sent, isSent: true), open(try command("4", "cooking:stop"))]
    #expect(step(stop, others + [open(stop)]) == .publish(publication(stop)))
    #expect(OpenCommand.overtaken(among: others + [open(stop)]) == [open(unsent)])
  }

  @Test func `a command is superseded while a stop is unsent, and only then`() throws {
    let (start, stop) = (try command("1"), try command("2", "cooking:stop"))
    #expect(step(start, [open(start), open(stop)]) == .supersede)
    #expect(step(start, [open(start), open(stop, isSent: true)]) == .publish(publication(start)))
  }

  @Test func `commands go out in the order of their deadlines, whichever replica has them`() throws {
    let (pause, resume) = (try command("2", "cooking:pause"), try command("1", "cooking:resume", in: .seconds(11)))
    let both = [open(pause), open(resume)]
    #expect(step(pause, both) == .publish(publication(pause)))
    #expect(step(resume, both) == .wait)
    #expect(step(resume, [open(pause, isSent: true), open(resume)]) == .publish(publication(resume)))
  }

  @Test func `a stop goes out though the log is not asked`() throws {
    let stop = try command("1", "cooking:stop")
    #expect(step(stop, nil) == .publish(publication(stop)))
    #expect(try step(command("1", "cooking:stop", in: .zero), nil) == .drop)
  }

  @Test(arguments: [(10_000, 9), (9_999, 8), (2_000, 1), (1_999, nil), (1, nil)])
  func `no broker keeps a command past its deadline, though it counts whole seconds and one more`(left_ms: Int, expiry: Int?) throws {
    let publication = publication(try command("1", in: .milliseconds(left_ms)))
    #expect(publication.expiry == expiry.map { .seconds($0) })
    #expect(publication.qos == (expiry == nil ? .atMostOnce : .atLeastOnce))
    #expect(!publication.isRetained && publication.topic == "epicura/a/command/start")
  }

  @Test func `where the protocol knows no expiry, no broker keeps a command at all`() throws {
    let publication = publication(try command("1"), version: .v311)
    #expect(publication.expiry == nil && publication.qos == .atMostOnce)
  }
}
