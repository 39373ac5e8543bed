import MartletClient
import Synchronization

/// What a client did and told while a script was played, in the words of `Tests/Connections/README.md`.
final class Record: Sendable {
  private struct Content {
    var states: [String] = []
    var events: [String] = []
    var subscribed: [String] = []
    var lost: [String] = []
    var commands: [String] = []
    var waits_ms: [Double] = []
    var answers_ms: [Double] = []
    var ignored = 0
    var reactions: [ConnectionScript.Reaction]
  }

  private let content: Mutex<Content>
  private let orders: AsyncStream<ConnectionScript.Reaction.Order>.Continuation

  /// - Parameter orders: where the commands go that the script wants sent.
  init(_ script: ConnectionScript, orders: AsyncStream<ConnectionScript.Reaction.Order>.Continuation) {
    content = Mutex(Content(reactions: script.app ?? []))
    self.orders = orders
  }

  func took(_ state: ConnectionState) {
    content.withLock { $0.states.append(state.rawValue) }
    happened(state.rawValue)
  }

  func took(_ event: MartletEvent) {
    switch event.content {
    case .subscribed(let told):
      let recovery = told.isRecovered.map { $0 ? " recovered" : " gap" } ?? ""
      content.withLock { $0.subscribed.append("\(event.applianceID) \(told.currentStatus ?? "")\(recovery)") }
      happened("subscribed")
    case .lost(let lost): content.withLock { $0.lost.append("\(event.applianceID) \(lost.code)") }
    default:
      content.withLock { $0.events.append("\(event.applianceID) \(event.id ?? "") \(event.type)") }
      if let id = event.id { happened(id) }
    }
  }

  func told(_ type: String, _ word: String) { content.withLock { $0.commands.append("\(type) \(word)") } }
  func waited(_ duration: Duration) { content.withLock { $0.waits_ms.append(duration / .milliseconds(1)) } }
  func waitedForAnswer(_ duration: Duration) { content.withLock { $0.answers_ms.append(duration / .milliseconds(1)) } }
  func ignored() { content.withLock { $0.ignored += 1 } }

  private func happened(_ what: String) {
    let order = content.withLock { content -> ConnectionScript.Reaction.Order? in
      guard let place = content.reactions.firstIndex(where: { $0.after == what }) else { return nil }
      return content.reactions.remove(at: place).send
    }
    if let order { orders.yield(order) }
  }

  /// A member by its name in a script; nil for one that this record does not keep.
  subscript(_ name: String) -> ConnectionScript.Seen? {
    content.withLock { content in
      switch name {
      case "states": .lines(content.states)
      case "events": .lines(content.events)
      case "subscribed": .lines(content.subscribed)
      case "lost": .lines(content.lost)
      case "commands": .lines(content.commands)
      case "waits_ms": .numbers(content.waits_ms)
      case "answers_ms": .numbers(content.answers_ms)
      case "ignored": .count(content.ignored)
      default: nil
      }
    }
  }
}
