import Models
import Store

/// How many attempts are under way, for each webhook and in all, and how many more may begin. Pure.
///
/// A webhook in trouble, whose last attempt failed or took long, gets one attempt at a time, and all of those together a part of the whole: so a
/// receiver that hangs, or many of them, never keeps the others waiting.
struct EndpointSlots: Sendable {
  struct Limits: Sendable {
    /// At a time, for all webhooks.
    var total = 256
    /// Of those, for webhooks in trouble.
    var troubled = 64
    /// An attempt that takes longer means trouble.
    var slow = Duration.seconds(2)
  }

  private struct Use: Sendable {
    var inFlight = 0
    var inFlightMax: Int
    var isTroubled: Bool

    var free: Int { max(0, (isTroubled ? 1 : inFlightMax) - inFlight) }
  }

  private let limits: Limits
  /// Those with something under way.
  private var uses: [WebhookID: Use] = [:]
  /// Those that are in trouble, of which nothing is under way. Bounded: the table says too who is failing.
  private var troubled: Set<WebhookID> = []
  private(set) var inFlight = 0
  private var inFlightTroubled = 0

  private static let rememberedMax = 4096

  init(_ limits: Limits) { self.limits = limits }

  var free: Int { limits.total - inFlight }
  /// Those for which nothing more may begin.
  var busy: [WebhookID] { uses.filter { $0.value.free == 0 }.map(\.key) }

  /// Deals the free places out, one after the other to each in turn.
  func allowances(for endpoints: [WebhookQueue.Endpoint]) -> [WebhookQueue.Allowance] {
    var allowances: [WebhookQueue.Allowance] = []
    var (left, leftForTroubled) = (free, limits.troubled - inFlightTroubled)
    var room: [Int] = []
    for endpoint in endpoints where left > 0 {
      let use = use(of: endpoint)
      guard use.free > 0, !use.isTroubled || leftForTroubled > 0 else { continue }
      if use.isTroubled { leftForTroubled -= 1 }
      left -= 1
      room.append(use.free - 1)
      allowances.append(WebhookQueue.Allowance(endpoint, count: 1))
    }
    while left > 0, room.contains(where: { $0 > 0 }) {
      for index in room.indices where room[index] > 0 && left > 0 {
        room[index] -= 1
        left -= 1
        allowances[index].count += 1
      }
    }
    return allowances
  }

  private func use(of endpoint: WebhookQueue.Endpoint) -> Use {
    var use = uses[endpoint.id] ?? Use(inFlightMax: endpoint.inFlightMax, isTroubled: endpoint.isFailing || troubled.contains(endpoint.id))
    use.inFlightMax = endpoint.inFlightMax
    return use
  }

  mutating func began(_ endpoint: WebhookQueue.Endpoint) {
    var use = use(of: endpoint)
    use.inFlight += 1
    inFlight += 1
    if use.isTroubled { inFlightTroubled += 1 }
    uses[endpoint.id] = use
    troubled.remove(endpoint.id)
  }

  /// As it is when these attempts have ended.
  func ended(_ verdicts: [Verdict]) -> EndpointSlots {
    var slots = self
    for verdict in verdicts {
      slots.ended(
        verdict.standing.id, succeeded: !verdict.standing.hasFailed, in: .milliseconds(verdict.result.attempt.duration_ms))
    }
    return slots
  }

  mutating func ended(_ webhook: WebhookID, succeeded: Bool, in duration: Duration) {
    guard var use = uses[webhook] else { return }
    let wasTroubled = use.isTroubled
    let before = use.inFlight
    use.inFlight -= 1
    inFlight -= 1
    use.isTroubled = !succeeded || duration > limits.slow
    inFlightTroubled += (use.isTroubled ? use.inFlight : 0) - (wasTroubled ? before : 0)
    if use.inFlight > 0 {
      uses[webhook] = use
    } else {
      uses[webhook] = nil
      if use.isTroubled, troubled.count < Self.rememberedMax { troubled.insert(webhook) }
    }
  }
}
