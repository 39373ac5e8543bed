internal import Access
internal import Commands
internal import Models

/// What the machine takes in and gives out.
extension ConsoleSessionMachine {
  /// What a token is checked for.
  enum Purpose: Hashable {
    case entry
    /// It is to take the place of the one before.
    case renewal
  }

  /// What a user may see, and whether they may stay.
  struct View: Hashable, Sendable {
    var refusal: AccessError?
    /// Every robot of theirs.
    var robots: [ApplianceID] = []
    /// Other appliances that were asked for by name, and those of them that they may see.
    var asked: Set<ApplianceID> = []
    var named: Set<ApplianceID> = []
    /// What they may do with all of these.
    var roles: [ApplianceID: Permission] = [:]

    func isKnown(_ robot: ApplianceID) -> Bool { asked.contains(robot) || robots.contains(robot) }
    func mayBeSeen(_ robot: ApplianceID) -> Bool { named.contains(robot) || robots.contains(robot) }
  }

  /// What the newest events of robots are wanted for.
  enum StateQuestion: Hashable {
    case systemStatus(requestID: String?)
    case telemetryStatus
  }

  /// How a robot is.
  struct RobotState: Hashable, Sendable {
    let robot: ApplianceID
    let systemStatus: Event?
    let telemetry: Event?
    /// How many consoles watch it.
    let consoles: Int

    /// Telemetry that was not heard for so long does not stream.
    private static let silence = Duration.seconds(5)

    /// - Parameter view: what the console wants of the robot.
    func telemetryStatus(_ view: ConsoleView?, now: Timestamp) -> OHT50TelemetryStatus {
      let isWanted = view?.interval(of: OHT50EventType.telemetryRealtime.eventType) != nil
      let isHeard = telemetry?.id.map { now - $0.receivedAt < Self.silence } ?? false
      return OHT50TelemetryStatus(
        isStreaming: isWanted && isHeard, rate_hz: view?.telemetryRate ?? 0, connectedClients: consoles,
        lastUpdate: isWanted ? telemetry?.timestamp : nil)
    }
  }

  enum Input {
    case checked(Purpose, AccessGate.Admission)
    case frame([UInt8])
    /// Nil when the directory could not be asked.
    case view(View?)
    /// The robot's events behind `position` come from now on; those up to it are in the log.
    case live(ApplianceID, position: EventID)
    /// Answers `join`: so many consoles watch the robot already.
    case full(ApplianceID, consolesMax: Int)
    case log(ApplianceID, attempt: Int, LogReading?)
    case delivered(ApplianceID, Delivery)
    case drained
    /// Nil when the log could not be asked.
    case states(StateQuestion, [RobotState]?)
    /// Answers `findRobots`; nil when the directory could not be asked.
    case found(PendingStop, [ApplianceID]?)
    case grant(ApplianceID, commandID: String, AccessGate.Grant)
    case listening(commandID: String, isLive: Bool)
    case answered(commandID: String, CommandDesk.Answer)
    /// Events of a command's life.
    case outcome(commandID: String, [Event])
    case expired(CommandFailure?)
    case accessChanged(AccessChange)
    /// About once a second.
    case tick
  }

  enum Action: Equatable {
    case check(Purpose, token: String?)
    /// What the principal may see, and which of these.
    case look(Principal, [ApplianceID])
    case send(OHT50ServerMessage)
    /// Tell the client, and the audit log, that what it said is not acted on.
    case refuse(OHT50Refusal)
    /// Listen to the robot, of which this is wanted, and hold what comes. Answered by `live`, at once where it is live already, or by `full`.
    case join(ApplianceID, ConsoleView)
    case show(ApplianceID, ConsoleView)
    case readLog(ApplianceID, attempt: Int, since: EventID)
    /// Tell the client what it missed, and then what was held. Answered by `delivered`.
    case deliver(ApplianceID, Recovery)
    case leave(ApplianceID)
    case askStates(StateQuestion, [ApplianceID])
    /// Which robots a stop for all is for.
    case findRobots(PendingStop, Principal)
    case askPermission(Principal, ApplianceID, commandID: String)
    case command(OpenCommands.Action)
    case close(Visit.End)
    case closeAsSlow
  }

  /// A stop that does not name its robots.
  struct PendingStop: Hashable, Sendable {
    let reason: String?
    let requestID: String?

    /// What the robot is told beside the command: `{"reason","client_id"}`.
    func data(from clientID: String?) -> [UInt8] {
      let members = [("reason", reason), ("client_id", clientID)].compactMap { name, value in value.map { (name, $0) } }
      var text: [UInt8] = []
      for (index, (name, value)) in members.enumerated() {
        text.append(UInt8(ascii: index == 0 ? "{" : ","))
        text.append(json: name)
        text.append(UInt8(ascii: ":"))
        text.append(json: value)
      }
      return members.isEmpty ? Array("{}".utf8) : text + Array("}".utf8)
    }
  }

  /// What the URL says.
  struct Hello {
    var token: String?
    var clientID: String?
    var robot: ApplianceID?
    var subscription: OHT50Subscription?
    /// What is wrong in it.
    var refusals: [OHT50Refusal] = []

    static let clientIDLengthMax_bytes = 128
  }
}

extension OHT50ClientMessage {
  /// The robot that a question or a subscription is about. Whom a stop is for is asked by itself, and what is not wanted needs no right.
  func robot(unlessNamed other: ApplianceID?) -> ApplianceID? {
    switch self {
    case .subscribe(let subscription): subscription.applianceID ?? other
    case .getSystemStatus(let robot, _): robot ?? other
    case .auth, .unsubscribe, .setTelemetryRate, .emergencyStop, .ping: nil
    }
  }
}

extension OHT50Refusal {
  static func unknownRobot(_ robot: ApplianceID) -> Self {
    Self(code: .invalidEventType, description: "There is no '\(robot)' among your robots", of: robot)
  }
  static func notPermitted(_ pattern: OHT50Pattern) -> Self {
    Self(code: .invalidEventType, description: "Your role does not get '\(pattern)'")
  }
  static let noRobots = Self(code: .invalidEventType, description: "You have no robots")
  static func noStatus(_ robot: ApplianceID) -> Self {
    Self(code: .invalidEventType, description: "'\(robot)' has told no system.status yet")
  }
  static func full(_ robot: ApplianceID, _ consolesMax: Int) -> Self {
    Self(code: .rateLimitExceeded, description: "\(consolesMax) consoles watch '\(robot)' already", of: robot)
  }
  static let clientIDTooLong = Self(
    code: .invalidEventType,
    description: "'client_id' must have at most \(ConsoleSessionMachine.Hello.clientIDLengthMax_bytes) bytes")
  /// No mistake of the client's; the document has no code for it.
  static let unavailable = Self(code: .rateLimitExceeded, description: "A database did not answer; say it again in a moment")
}
