import Models
import Synchronization

/// Says on standard error what is followed, each time that the server has confirmed all of it.
final class Following: Sendable {
  private struct State {
    var wanted: Set<String>?
    var confirmed: Set<String> = []
    var isTold = false
  }

  private let state = Mutex(State())

  /// The channels that are to be followed from now on.
  func want(_ channels: Set<String>) {
    change { state in
      if state.wanted != channels { state.isTold = false }
      state.wanted = channels
      state.confirmed.formIntersection(channels)
    }
  }

  func confirm(_ channel: String) { change { $0.confirmed.insert(channel) } }

  /// The connection is gone, and every confirmation with it. At the end that is no loss.
  func lose() {
    let isLoss = state.withLock { state in
      state.confirmed = []
      state.isTold = false
      return state.wanted != nil
    }
    if isLoss { Console.complain("martletctl: the connection to Redis is lost: events until it is back are not shown") }
  }

  /// Nothing is followed any more.
  func end() { state.withLock { $0.wanted = nil } }

  private func change(_ body: (inout State) -> Void) {
    let sentence: String? = state.withLock { state in
      body(&state)
      guard let wanted = state.wanted, !state.isTold, state.confirmed.isSuperset(of: wanted) else { return nil }
      state.isTold = true
      let one = wanted.count == 1 ? wanted.first?.dropFirst(Bus.livePrefix.count) : nil
      return "following \(one.map(String.init) ?? "\(wanted.count) appliances"); stop with Ctrl-C"
    }
    if let sentence { Console.complain(sentence) }
  }
}
