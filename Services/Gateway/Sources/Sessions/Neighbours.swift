internal import AuditTrail
internal import EventLog
internal import Logging
internal import Models
internal import NIOCore
internal import WebSocketTransport

/// What the sessions of every dialect work with.
struct Neighbours: Sendable {
  let gate: any Gatekeeper
  /// What devices prove themselves by, and how they are set up; nil where there are no accounts.
  let devices: Devices?
  /// Who is there, of devices that do not say so; nil where there are no accounts.
  let board: PresenceBoard?
  let log: any EventLog
  /// Nil where nothing is audited: on a device's own network everyone is the same user.
  let audit: AuditTrail?
  let jobs: Jobs
  let limits: SessionLimits
  /// Who gets which events, and may send which commands.
  let roles: RoleTable
  let oht50: OHT50Limits
  /// How many consoles watch each robot.
  let consoles: ConsoleCensus
  let logger: Logger

  /// For questions to neighbours: each kind apart, so that a database that hangs holds up nothing but its own, and nothing is before a stop.
  struct Jobs: Sendable {
    // Many at a time, because all they do is wait: the directory bounds what it does itself.
    let access = JobQueue(runningMax: 4096)
    let log = JobQueue(runningMax: 256)
    let commands = JobQueue(runningMax: 256)
    let stops = JobQueue(runningMax: 4096)
    let appends = JobQueue(runningMax: 1024)

    var all: [JobQueue] { [log, access, commands, stops, appends] }
  }

  /// Asks a neighbour off the loop; the answer is taken in on the loop, in a turn of its own.
  ///
  /// - Parameters:
  ///   - eventLoop: where this is called, and where `take` is.
  ///   - refusal: the answer where too many questions wait already.
  func ask<Answer: Sendable>(
    _ jobs: KeyPath<Jobs, JobQueue>, on eventLoop: any EventLoop, orElse refusal: Answer,
    _ question: @escaping @Sendable (Neighbours) async -> Answer, take: @escaping (Answer) -> Void
  ) {
    let here = NIOLoopBound(take, eventLoop: eventLoop)
    let isTaken = self.jobs[keyPath: jobs].submit {
      let answer = await question(self)
      eventLoop.execute { here.value(answer) }
    }
    if !isTaken { eventLoop.execute { here.value(refusal) } }
  }
}

/// What one connection may ask of the gateway, in any dialect.
struct SessionLimits: Sendable {
  /// Appliances that one connection may listen to.
  var subscriptionsMax = 256
  /// Frames that may come before the token was checked.
  var earlyFramesMax = 32
  /// Commands of one connection without an outcome; stops find more room.
  var commandsMax = 16
  /// How long a neighbour may take to answer.
  var answerTimeout = Duration.seconds(10)
}
