import Logging
import Models
import NIOCore
import NIOPosix
import RedisClient

/// Hears every live message of a Redis on the channels of the contract.
final class Ear: Sendable {
  private let messages: AsyncStream<(channel: String, message: [UInt8])>
  private let task: Task<Void, any Error>

  private final class Receiver: RedisSubscriptionReceiver {
    let hear: AsyncStream<(channel: String, message: [UInt8])>.Continuation
    let confirm: AsyncStream<String>.Continuation
    init(
      hear: AsyncStream<(channel: String, message: [UInt8])>.Continuation, confirm: AsyncStream<String>.Continuation
    ) { (self.hear, self.confirm) = (hear, confirm) }
    func subscribed(channel: String) { confirm.yield(channel) }
    func message(channel: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
      hear.yield((String(decoding: channel, as: UTF8.self), Array(payload)))
    }
    func readCompleted() {}
    func disconnected() {}
  }

  private init(messages: AsyncStream<(channel: String, message: [UInt8])>, task: Task<Void, any Error>) {
    (self.messages, self.task) = (messages, task)
  }

  static func listening(on configuration: RedisConfiguration) async throws -> Ear {
    let (messages, hear) = AsyncStream.makeStream(of: (channel: String, message: [UInt8]).self)
    let (confirmed, confirm) = AsyncStream.makeStream(of: String.self)
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let subscription = try await loop.submit {
      RedisSubscription(
        configuration: configuration, eventLoop: loop, receiver: Receiver(hear: hear, confirm: confirm),
        logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, home: Bus.home(ofChannel:))
    }.get()
    let ear = Ear(messages: messages, task: Task { try await subscription.run() })
    let channels = EventLogContract.appliances.map { "ws:\($0)" }
    for channel in channels { subscription.subscribe(channel) }
    var missing = Set(channels)
    for await channel in confirmed {
      missing.remove(channel)
      if missing.isEmpty { break }
    }
    return ear
  }

  func next(_ count: Int) async throws -> [(channel: String, message: [UInt8])] {
    var heard: [(channel: String, message: [UInt8])] = []
    guard count > 0 else { return heard }
    for await message in messages {
      heard.append(message)
      if heard.count == count { break }
    }
    return heard
  }

  func stop() async { task.cancel() }
}
