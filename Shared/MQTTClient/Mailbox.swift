import Synchronization

/// Letters to a network thread. Any thread posts; only the network thread takes.
/// Bound: what the posting side admits (a subscriber's letters are two of a kind, a publisher counts its calls).
final class Mailbox<Letter: Sendable>: Sendable {
  let pipe: WakePipe
  /// `nil` once closed.
  private let letters = Mutex<[Letter]?>([])

  init() throws(MQTTError) { pipe = try WakePipe() }

  /// - Returns: whether somebody will read it.
  @discardableResult
  func post(_ letter: Letter) -> Bool {
    let isOpen = letters.withLock { letters in
      letters?.append(letter)
      return letters != nil
    }
    if isOpen { pipe.wake() }
    return isOpen
  }

  func takeAll() -> [Letter] {
    letters.withLock { letters in
      defer { if letters != nil { letters = [] } }
      return letters ?? []
    }
  }

  /// Refuses further letters and returns those that nobody has read.
  func close() -> [Letter] {
    letters.withLock { letters in
      defer { letters = nil }
      return letters ?? []
    }
  }
}
