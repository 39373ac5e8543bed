internal import EventLog
internal import Models
internal import ServiceLifecycle
internal import Synchronization

/// How many consoles watch each robot, over all replicas: for `connected_clients`, and for the limit of consoles.
///
/// Each replica tells the others once a second where its own numbers have changed, and all of them every few seconds. What a replica said counts until it has been silent for a while. So the numbers
/// of others are about a second old, and two replicas may together let in a console too many in that second.
final class ConsoleCensus: Sendable {
  private struct Told {
    let count: Int
    let at: ContinuousClock.Instant
  }

  private struct State {
    /// Of this replica.
    var here: [ApplianceID: Int] = [:]
    var changed: Set<ApplianceID> = []
    /// Of each robot, by the other replicas.
    var elsewhere: [ApplianceID: [String: Told]] = [:]
  }

  private let replica: String
  private let state = Mutex(State())

  /// How often all numbers are told, and how long they count.
  private static let roundSeconds = 5
  private static let countsFor = Duration.seconds(12)
  /// Robots of one message.
  private static let chunk = 512
  /// Robots that other replicas are believed to watch; a bound for a channel that anyone with Redis may write to.
  private static let robotsMax = 100_000

  /// - Parameter replica: names this process among its replicas; without blanks.
  init(replica: String) { self.replica = replica }

  /// Counts one more console of this robot, unless there are `limit` already.
  func enter(_ robot: ApplianceID, limit: Int, now: ContinuousClock.Instant = .now) -> Bool {
    state.withLock { state in
      guard Self.count(of: robot, in: state, now) < limit else { return false }
      state.here[robot, default: 0] += 1
      state.changed.insert(robot)
      return true
    }
  }

  func leave(_ robot: ApplianceID) {
    state.withLock { state in
      state.here[robot] = state.here[robot].flatMap { $0 > 1 ? $0 - 1 : nil }
      state.changed.insert(robot)
    }
  }

  /// Consoles that watch the robot.
  func count(of robot: ApplianceID, now: ContinuousClock.Instant = .now) -> Int {
    state.withLock { Self.count(of: robot, in: $0, now) }
  }

  private static func count(of robot: ApplianceID, in state: State, _ now: ContinuousClock.Instant) -> Int {
    let others = state.elsewhere[robot]?.values.lazy.filter { now - $0.at < countsFor }.map(\.count) ?? []
    return (state.here[robot] ?? 0) + others.reduce(0, +)
  }

  // MARK: Among replicas

  /// Takes in what a replica says: its name, and on each further line a robot and its number of consoles, parted by a blank.
  func heard(_ message: some Sequence<UInt8>, now: ContinuousClock.Instant = .now) {
    let lines = String(decoding: Array(message), as: UTF8.self).split(separator: "\n")
    guard let sender = lines.first.map(String.init), sender != replica else { return }
    state.withLock { state in
      for line in lines.dropFirst() {
        let parts = line.split(separator: " ")
        guard parts.count == 2, let robot = try? ApplianceID(String(parts[0])), let count = Int(parts[1]), count >= 0 else { continue }
        guard state.elsewhere[robot] != nil || state.elsewhere.count < Self.robotsMax else { continue }
        var told = state.elsewhere[robot, default: [:]].filter { now - $0.value.at < Self.countsFor }
        told[sender] = count > 0 ? Told(count: count, at: now) : nil
        state.elsewhere[robot] = told.isEmpty ? nil : told
      }
    }
  }

  /// What the others are to be told: what has changed, or everything.
  func messages(ofEverything: Bool) -> [[UInt8]] {
    let counts = state.withLock { state -> [(ApplianceID, Int)] in
      let robots = ofEverything ? state.changed.union(state.here.keys) : state.changed
      state.changed = []
      return robots.map { ($0, state.here[$0] ?? 0) }
    }
    return stride(from: 0, to: counts.count, by: Self.chunk).map { start in
      let lines = counts[start..<min(start + Self.chunk, counts.count)].map { "\($0) \($1)" }
      return Array(([replica] + lines).joined(separator: "\n").utf8)
    }
  }

  /// Forgets what replicas said that are silent since.
  func forgetSilent(now: ContinuousClock.Instant = .now) {
    state.withLock { state in
      state.elsewhere = state.elsewhere.compactMapValues { told in
        let recent = told.filter { now - $0.value.at < Self.countsFor }
        return recent.isEmpty ? nil : recent
      }
    }
  }

  /// Tells the other replicas, until the service ends. What Redis does not take is told with the next round.
  func tell(through log: any EventLog) async {
    var second = 0
    while !Task.isShuttingDownGracefully, (try? await Task.sleep(for: .seconds(1))) != nil {
      second += 1
      for message in messages(ofEverything: second.isMultiple(of: Self.roundSeconds)) {
        try? await log.publish(message, to: Bus.consoles)
      }
      forgetSilent()
    }
  }
}

/// The census as a service of the gateway.
struct ConsoleCensusService: Service {
  let census: ConsoleCensus
  let log: any EventLog

  func run() async { await cancelWhenGracefulShutdown { await census.tell(through: log) } }
}
