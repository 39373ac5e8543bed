import NIOCore
import Testing

@testable import RedisClient

@Suite("Subscription table")
struct SubscriptionTableTests {
  private func lines(_ commands: [RedisCommand]) -> [[String]] {
    commands.map { command in
      String(buffer: command.body).split(separator: "\r\n").enumerated().filter { $0.offset % 2 == 1 }.map { String($0.element) }
    }
  }

  @Test func `changes of one tick are one command, and what cancels out is none`() {
    var table = SubscriptionTable()
    table.connected()
    for channel in ["a", "b", "c"] { _ = table.subscribe(channel) }
    _ = table.unsubscribe("c")
    #expect(lines(table.takeCommands()) == [["SUBSCRIBE", "a", "b"]])
    #expect(table.takeCommands().count == 0)
    #expect(table.unsubscribe("unknown") == false)
  }

  @Test func `a confirmation counts only when no later command is under way`() {
    var table = SubscriptionTable()
    table.connected()
    for isWanted in [true, false, true] {
      _ = isWanted ? table.subscribe("a") : table.unsubscribe("a")
      #expect(table.takeCommands().count == 1)
    }
    #expect(table.confirmed("a") == false)
    #expect(table.confirmed("a") == false)
    #expect(table.confirmed("a") == true)
  }

  @Test func `what is given up and wanted again in one tick is asked for once more, and confirmed to who wants it now`() {
    var table = SubscriptionTable()
    table.connected()
    _ = table.subscribe("a")
    _ = table.takeCommands()
    #expect(table.confirmed("a") == true)
    _ = table.unsubscribe("a")
    _ = table.subscribe("a")
    #expect(lines(table.takeCommands()) == [["SUBSCRIBE", "a"]])
    #expect(table.confirmed("a") == true)
    _ = table.subscribe("a")
    #expect(table.takeCommands().count == 0)
  }

  @Test func `after a reconnect everything wanted is asked for again, in batches, and nothing else`() {
    var table = SubscriptionTable()
    for number in 0..<1100 { _ = table.subscribe("channel \(number)") }
    _ = table.unsubscribe("channel 0")
    table.connected()
    let commands = lines(table.takeCommands())
    #expect(commands.map { $0.count - 1 } == [512, 512, 75])
    #expect(!commands.joined().contains("channel 0"))
    #expect(table.confirmed("channel 1") == true)
    table.connected()
    #expect(lines(table.takeCommands()).map { $0.count - 1 } == [512, 512, 75])
  }

  @Test func `a confirmation of a channel that is unwanted by now is not told`() {
    var table = SubscriptionTable()
    table.connected()
    _ = table.subscribe("a")
    _ = table.takeCommands()
    _ = table.unsubscribe("a")
    #expect(table.confirmed("a") == false)
    #expect(lines(table.takeCommands()) == [["UNSUBSCRIBE", "a"]])
    #expect(table.confirmed("a") == false)
    #expect(table.confirmed("a") == false)
  }

  @Test func `what is to be confirmed anew is asked for again, and nothing that is unwanted`() {
    var table = SubscriptionTable()
    table.connected()
    for channel in ["a", "b"] { _ = table.subscribe(channel) }
    _ = table.takeCommands()
    #expect(table.confirmed("a") == true && table.confirmed("b") == true)
    _ = table.unsubscribe("b")
    table.confirmAnew()
    #expect(lines(table.takeCommands()) == [["UNSUBSCRIBE", "b"], ["SUBSCRIBE", "a"]])
    #expect(table.confirmed("b") == false && table.confirmed("a") == true)
  }
}
