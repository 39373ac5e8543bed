package import NIOCore
package import RedisClient

/// Hears live messages, synchronously and on one event loop; see `RedisSubscriptionReceiver` for each call.
package typealias LiveReceiver = RedisSubscriptionReceiver

/// Channels that a `LiveReceiver` hears. Telling is at most once: after `disconnected`, what was missed is read from the log.
package protocol LiveFeed: Sendable {
  /// From any thread; confirmed by `subscribed(channel:)`.
  func subscribe(_ channel: String)
  func unsubscribe(_ channel: String)
}

extension RedisSubscription: LiveFeed {}

/// The live feed of a `MemoryEventLog`. Every message is a read of its own.
package final class MemoryLiveFeed: LiveFeed {
  private let eventLoop: any EventLoop
  private let table: NIOLoopBoundBox<Table>

  private struct Table {
    let receiver: any LiveReceiver
    var channels: Set<String> = []
  }

  /// To be called on `eventLoop`, where the receiver lives.
  package init(of log: MemoryEventLog, eventLoop: any EventLoop, receiver: any LiveReceiver) {
    self.eventLoop = eventLoop
    table = NIOLoopBoundBox(Table(receiver: receiver), eventLoop: eventLoop)
    log.listen { [eventLoop, table] channel, message in
      eventLoop.execute {
        guard table.value.channels.contains(channel) else { return }
        let receiver = table.value.receiver
        Array(channel.utf8).withUnsafeBytes { channel in
          message.withUnsafeBytes { receiver.message(channel: channel, payload: $0) }
        }
        receiver.readCompleted()
      }
    }
  }

  package func subscribe(_ channel: String) {
    eventLoop.execute { [table] in
      table.value.channels.insert(channel)
      table.value.receiver.subscribed(channel: channel)
    }
  }

  package func unsubscribe(_ channel: String) {
    eventLoop.execute { [table] in table.value.channels.remove(channel) }
  }

  /// Loses the connection, as one to Redis is lost: nothing is heard until `reconnect()`.
  package func disconnect() {
    eventLoop.execute { [table] in
      table.value.receiver.disconnected()
      table.value.channels = []
    }
  }
}
