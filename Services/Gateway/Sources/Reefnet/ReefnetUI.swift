internal import Models

/// What a UI's connection does once its user is known: it hears every module that the user may see, the last status first, and controls them. Pure.
struct ReefnetUI {
  typealias Action = ReefnetSessionMachine.Action

  let userID: String
  private let earlyFramesMax: Int
  private let makeCommandID: () -> String
  private var modules: Set<ApplianceID> = []
  /// Those of them whose events come.
  private var heard: Set<ApplianceID> = []
  /// Those of them whose last status has not been read.
  private var unread: Set<ApplianceID> = []
  /// Frames that came before it was known which modules there are; nil after it.
  private var early: [[UInt8]]? = []
  private var controls: OpenControls

  init(userID: String, limits: SessionLimits, makeCommandID: @escaping () -> String) {
    self.userID = userID
    self.makeCommandID = makeCommandID
    earlyFramesMax = limits.earlyFramesMax
    controls = OpenControls(countMax: limits.commandsMax, answerTimeout: limits.answerTimeout)
  }

  // MARK: Modules

  /// - Returns: what is to be done, and frames that can be taken now.
  mutating func take(_ wanted: [ApplianceID]) -> (actions: [Action], frames: [[UInt8]]) {
    let wanted = Set(wanted)
    let (lost, gained) = (modules.subtracting(wanted).sorted(), wanted.subtracting(modules).sorted())
    modules = wanted
    heard.formIntersection(wanted)
    unread.formIntersection(wanted)
    let frames = early ?? []
    early = nil
    return (lost.map(Action.leave) + gained.map(Action.join), frames)
  }

  func contains(_ module: ApplianceID) -> Bool { modules.contains(module) }

  /// The module's events come from now on.
  mutating func becameLive(_ module: ApplianceID, now: Timestamp) -> [Action] {
    guard modules.contains(module) else { return [] }
    heard.insert(module)
    return [.readStatus(module)] + controls.advance(heard: heard, userID: userID, now: now)
  }

  /// A module's last status could not be read: it is asked for again at the next tick.
  mutating func statusUnread(_ module: ApplianceID) { if modules.contains(module) { unread.insert(module) } }

  // MARK: Controls

  /// Throws why a frame is not acted on.
  mutating func take(_ frame: [UInt8], now: Timestamp) throws(ReefnetMisstep) -> [Action] {
    if let early {
      // What is too much is dropped like what is wrong: the UI is told nothing of either.
      guard early.count < earlyFramesMax else { throw .tooEarly }
      self.early = early + [frame]
      return []
    }
    let control: ReefnetControl
    do { control = try ReefnetControl(parsing: frame) } catch { throw .refused(error) }
    guard let module = control.moduleID ?? (modules.count == 1 ? modules.first : nil), modules.contains(module) else {
      throw .noTarget(control.moduleID)
    }
    let pending = PendingControl(
      id: makeCommandID(), module: module, command: control.command, requestID: control.requestID, frame: frame)
    let unknown = control.unknownParameters.isEmpty ? [] : [Action.logUnknown(control.unknownParameters, frame)]
    return unknown + controls.begin(pending, heard: heard, userID: userID, now: now)
  }

  mutating func answered(_ id: String, _ answer: ReefnetSessionMachine.Answer, now: Timestamp) throws(ReefnetMisstep) -> [Action] {
    try controls.answered(id, answer, now: now)
  }

  /// The next control may go to the desk.
  mutating func advance(now: Timestamp) -> [Action] { controls.advance(heard: heard, userID: userID, now: now) }

  func waits(forCommand id: String) -> Bool { controls.contains(id) }

  mutating func told(_ event: Event, commandID: String, now: Timestamp) -> [Action] { controls.told(event, commandID: commandID, now: now) }

  mutating func expired(_ failure: CommandFailure, now: Timestamp) -> [Action] { controls.expired(failure, now: now) }

  mutating func tick(now: Timestamp) -> [Action] {
    let reads = unread.sorted().map(Action.readStatus)
    unread = []
    return reads + controls.tick(now: now) + advance(now: now)
  }
}
