/// Builds whole `RESPValue`s from the parts that the parser finds, within bounds.
final class ReplyAssembler: ReplySink {
  private struct OpenArray {
    var missing: Int
    var elements: [RESPValue]
  }

  private let limits: RedisConfiguration.Limits
  private let deliver: (RESPValue) -> Void
  private var openArrays: [OpenArray] = []
  private var whole: RESPValue?
  private var byteCount = 0
  private var elementCount = 0

  init(limits: RedisConfiguration.Limits, deliver: @escaping (RESPValue) -> Void) {
    self.limits = limits
    self.deliver = deliver
  }

  func array(count: Int) -> Bool {
    elementCount += max(count, 0)
    guard count >= 0, elementCount <= limits.replyElements else { return false }
    if count == 0 { return add(.array([])) }
    guard whole == nil else { return false }
    var elements: [RESPValue] = []
    // The count is a claim until the elements have come.
    elements.reserveCapacity(min(count, 1024))
    openArrays.append(OpenArray(missing: count, elements: elements))
    return true
  }

  func text(_ kind: ReplyTextKind, _ bytes: UnsafeRawBufferPointer) -> Bool {
    byteCount += bytes.count
    guard byteCount <= limits.replyBytes else { return false }
    return switch kind {
    case .string: add(.string(Array(bytes)))
    case .status: add(.status(String(decoding: bytes, as: UTF8.self)))
    case .error: add(.error(RedisError(reply: String(decoding: bytes, as: UTF8.self))))
    }
  }

  func integer(_ value: Int64) -> Bool { add(.integer(value)) }
  func null() -> Bool { add(.null) }

  /// Adds a finished value to the innermost open array, and closes every array that this completes.
  private func add(_ value: RESPValue) -> Bool {
    guard whole == nil else { return false }
    var value = value
    while let last = openArrays.indices.last {
      openArrays[last].elements.append(value)
      openArrays[last].missing -= 1
      if openArrays[last].missing > 0 { return true }
      value = .array(openArrays.removeLast().elements)
    }
    whole = value
    return true
  }

  func replyCompleted() {
    guard let reply = whole else { return }
    whole = nil
    byteCount = 0
    elementCount = 0
    deliver(reply)
  }
}
