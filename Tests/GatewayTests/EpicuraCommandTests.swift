import Access
import Commands
import Models
import Testing

@testable import Gateway

/// The life of a command on one connection, step by step.
@Suite struct EpicuraCommandTests {
  private typealias Machine = EpicuraSessionStateMachine
  private let appliance = Samples.appliance
  private let ann = Principal(subject: "ann", expiresAt: Samples.time + .seconds(900))
  private let pause = PendingCommand(
    id: "c-1", appliance: Samples.appliance, type: Samples.type("cooking:pause"), data: Array("{}".utf8), requestID: "r")
  private let stop = PendingCommand(
    id: "c-1", appliance: Samples.appliance, type: Samples.type("cooking:stop"), data: Array("{}".utf8), requestID: nil)

  /// A connection that has sent one command.
  private func sent(_ command: PendingCommand, _ limits: SessionLimits = SessionLimits()) -> Machine {
    var machine = Machine(limits: limits, now: Samples.time) { "c-1" }
    _ = machine.handle(.admission(.admitted(ann)), now: Samples.time)
    let purpose = Machine.Purpose.command(id: "c-1", isUrgent: command.isUrgent)
    #expect(machine.handle(frame(command), now: Samples.time) == [.askPermission(ann, appliance, purpose)])
    return machine
  }

  private func frame(_ command: PendingCommand) -> Machine.Input {
    let name = command.requestID.map { #","request_id":"\#($0)""# } ?? ""
    return .frame(Array(#"{"type":"\#(command.type)","appliance_id":"\#(command.appliance)"\#(name)}"#.utf8))
  }

  private func granted(_ command: PendingCommand) -> Machine.Input {
    .grant(appliance, .command(id: "c-1", isUrgent: command.isUrgent), .granted(.own))
  }

  private func accepted(_ pending: PendingCommand) -> Command {
    Command(
      id: "c-1", applianceID: appliance, type: pending.type, issuedAt: Samples.time, expiresAt: Samples.time + .seconds(10),
      data: pending.data)
  }

  /// One whose command the desk has taken in.
  private func waiting() -> Machine {
    var machine = sent(pause)
    for input in [granted(pause), .listening(commandID: "c-1", isLive: true), .answered(commandID: "c-1", .accepted(accepted(pause)))] {
      _ = machine.handle(input, now: Samples.time)
    }
    return machine
  }

  private func failure(_ code: CommandFailure.Code) -> CommandFailure {
    CommandFailure(commandID: "c-1", type: pause.type, code: code, message: "No.")
  }

  @Test func `A command goes to the desk when its outcome cannot be missed`() {
    var machine = sent(pause)
    #expect(machine.handle(granted(pause), now: Samples.time) == [.listen(appliance, commandID: "c-1")])
    #expect(machine.handle(.listening(commandID: "c-1", isLive: false), now: Samples.time) == [])
    #expect(machine.handle(.live(appliance, position: .zero), now: Samples.time) == [.request(pause, .own, userID: "ann")])
    #expect(machine.handle(.live(appliance, position: .zero), now: Samples.time) == [])
  }

  @Test func `A stop goes to the desk at once, and what was missed of its outcome is read`() {
    var machine = sent(stop)
    #expect(
      machine.handle(granted(stop), now: Samples.time) == [.listen(appliance, commandID: "c-1"), .request(stop, .own, userID: "ann")])
    #expect(machine.handle(.listening(commandID: "c-1", isLive: false), now: Samples.time) == [])
    let position = EventID(milliseconds: 7, sequence: 0)
    #expect(
      machine.handle(.live(appliance, position: position), now: Samples.time)
        == [.readOutcome(appliance, commandID: "c-1", through: position)])
    let missed = [
      accepted(stop).requested(by: "ann", requestID: nil),
      CommandOutcome.acknowledged("c-1", stop.type, by: appliance, message: nil, at: Samples.time),
    ]
    #expect(
      machine.handle(.outcome(commandID: "c-1", missed), now: Samples.time)
        == missed.map { .tellMissed($0) } + [.unlisten(appliance, commandID: "c-1")])
  }

  @Test func `Its outcome ends the listening`() {
    var machine = waiting()
    #expect(machine.handle(.settled(commandID: "c-1"), now: Samples.time) == [.unlisten(appliance, commandID: "c-1")])
    #expect(machine.handle(.tick, now: Samples.time + .seconds(60)) == [])
  }

  @Test func `A second after its deadline it is settled from here, and the app learns that something is wrong if that says nothing`() {
    var machine = waiting()
    #expect(machine.handle(.tick, now: Samples.time + .seconds(11)) == [])
    let late = Samples.time + .milliseconds(11_001)
    #expect(machine.handle(.tick, now: late) == [.expire(accepted(pause))])
    #expect(machine.handle(.tick, now: late + .seconds(1)) == [])
    let timeout = CommandFailure.timeout("c-1", pause.type, wasSent: true)
    let told: [Machine.Action] = [.unlisten(appliance, commandID: "c-1"), .sendEvent(timeout.event(of: appliance, at: late))]
    var deaf = machine
    #expect(machine.handle(.expired(timeout), now: late) == told, "the log cannot be told")
    #expect(deaf.handle(.expired(nil), now: late) == [])
    #expect(deaf.handle(.tick, now: late + .seconds(11)).first == told.first, "nothing came of it")
  }

  @Test func `A refusal that is not among the appliance's events is told at once`() {
    for code in [CommandFailure.Code.notPermitted, .invalidCommand, .tooManyCommands] {
      var machine = sent(pause)
      for input in [granted(pause), .listening(commandID: "c-1", isLive: true)] { _ = machine.handle(input, now: Samples.time) }
      #expect(
        machine.handle(.answered(commandID: "c-1", .failed(failure(code))), now: Samples.time) == [
          .unlisten(appliance, commandID: "c-1"), .sendEvent(failure(code).event(of: appliance, at: Samples.time)),
        ])
    }
  }

  @Test func `One that is among them is told by them, and without them if they do not come`() {
    var machine = sent(pause)
    for input in [granted(pause), .listening(commandID: "c-1", isLive: true)] { _ = machine.handle(input, now: Samples.time) }
    #expect(machine.handle(.answered(commandID: "c-1", .failed(failure(.applianceOffline))), now: Samples.time) == [])
    var deaf = machine
    #expect(machine.handle(.settled(commandID: "c-1"), now: Samples.time) == [.unlisten(appliance, commandID: "c-1")])
    #expect(machine.handle(.tick, now: Samples.time + .seconds(2)) == [])
    #expect(
      deaf.handle(.tick, now: Samples.time + .seconds(2)) == [
        .unlisten(appliance, commandID: "c-1"),
        .sendEvent(failure(.applianceOffline).event(of: appliance, at: Samples.time + .seconds(2))),
      ])
  }

  @Test func `An outcome that is faster than the desk's answer counts`() {
    var machine = sent(pause)
    for input in [granted(pause), .listening(commandID: "c-1", isLive: true), .settled(commandID: "c-1")] {
      _ = machine.handle(input, now: Samples.time)
    }
    #expect(machine.handle(.answered(commandID: "c-1", .accepted(accepted(pause))), now: Samples.time) == [])
    #expect(machine.handle(.tick, now: Samples.time + .seconds(60)) == [])
  }

  @Test func `Neighbours that do not answer are told as such`() {
    func code(_ actions: [Machine.Action]) -> EpicuraRejection.Code? {
      for case .send(.error(let rejection, _)) in actions { return rejection.code }
      return nil
    }
    let purpose = Machine.Purpose.command(id: "c-1", isUrgent: false)
    var (unasked, foreign, late, lost) = (sent(pause), sent(pause), sent(pause), sent(pause))
    #expect(code(unasked.handle(.grant(appliance, purpose, .unavailable), now: Samples.time)) == .temporarilyUnavailable)
    #expect(code(foreign.handle(.grant(appliance, purpose, .refused), now: Samples.time)) == .applianceNotFound)
    #expect(code(late.handle(.tick, now: Samples.time + .seconds(11))) == .temporarilyUnavailable)
    for input in [granted(pause), .listening(commandID: "c-1", isLive: true)] { _ = lost.handle(input, now: Samples.time) }
    #expect(code(lost.handle(.answered(commandID: "c-1", .unavailable(commandID: "c-1")), now: Samples.time)) == .temporarilyUnavailable)
  }

  @Test func `Open commands are bounded, and a stop finds room beyond it`() {
    var number = 0
    var limits = SessionLimits()
    limits.commandsMax = 2
    var machine = Machine(limits: limits, now: Samples.time) {
      number += 1
      return "c-\(number)"
    }
    _ = machine.handle(.admission(.admitted(ann)), now: Samples.time)
    for _ in 1...2 { _ = machine.handle(frame(pause), now: Samples.time) }
    guard case .sendEvent(let event)? = machine.handle(frame(pause), now: Samples.time).first else {
      Issue.record("not refused")
      return
    }
    #expect(event.type == .commandFailed)
    #expect(String(decoding: event.data, as: UTF8.self).contains("TOO_MANY_COMMANDS"))
    #expect(
      machine.handle(frame(stop), now: Samples.time) == [.askPermission(ann, appliance, .command(id: "c-4", isUrgent: true))])
  }
}
