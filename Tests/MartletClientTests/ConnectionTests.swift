import Testing

@testable import MartletClient

/// The state machine where the scripts do not go.
@Suite struct ConnectionTests {
  private func live(hasAPI: Bool = true) -> Connection {
    var connection = Connection(hasAPI: hasAPI)
    _ = connection.handle(.start)
    _ = connection.handle(.connected)
    return connection
  }

  @Test func `A token that cannot be renewed just now is asked for again in ten seconds`() {
    var connection = live()
    #expect(connection.handle(.expiring) == [.renew])
    #expect(connection.handle(.renewalFailed) == [.set(.renew, .seconds(10))])
    #expect(connection.handle(.fired(.renew)) == [.renew])
  }

  @Test func `Any frame is an answer to a ping`() {
    var connection = live()
    #expect(connection.handle(.fired(.ping)).contains(.set(.pong, .seconds(10))))
    #expect(connection.handle(.frame) == [.cancel(.pong)])
    #expect(connection.handle(.fired(.pong)) == [.drop])
  }

  @Test func `A doubted connection has two seconds, which neither further doubts nor the next ping prolong, and any frame clears it`() {
    var connection = live()
    #expect(connection.handle(.doubted) == [.ping, .set(.pong, .seconds(2))])
    #expect(connection.handle(.doubted).isEmpty)
    #expect(connection.handle(.fired(.ping)) == [.ping, .set(.ping, .seconds(25))])
    #expect(connection.handle(.frame) == [.cancel(.pong)])
    #expect(connection.handle(.fired(.ping)).contains(.set(.pong, .seconds(10))))
    #expect(connection.handle(.doubted) == [.ping, .set(.pong, .seconds(2))])
    #expect(connection.handle(.fired(.pong)) == [.drop])
    _ = connection.handle(.ended(.lost, random: 1))
    #expect(connection.handle(.doubted).isEmpty)
    _ = connection.handle(.connected)
    #expect(connection.handle(.doubted) == [.ping, .set(.pong, .seconds(2))])
  }

  @Test func `Rounds of polling follow each other until the WebSocket is back`() {
    var connection = Connection(hasAPI: true)
    _ = connection.handle(.start)
    for _ in 0..<2 { #expect(!connection.handle(.ended(.lost, random: 1)).contains(.poll)) }
    #expect(connection.handle(.ended(.lost, random: 1)).contains(.poll))
    #expect(connection.handle(.polled) == [.set(.poll, .milliseconds(1500))])
    #expect(connection.handle(.fired(.poll)) == [.poll])
    #expect(connection.handle(.connected).contains(.cancel(.poll)))
    #expect(connection.handle(.polled).isEmpty)
  }

  @Test func `What ends it for good says why`() {
    var refused = live()
    let error = MartletError(.refused, "The server closed the connection with 1008: Too many errors")
    #expect(refused.handle(.ended(Closing(code: 1008, reason: "Too many errors"), random: 1)).last == .fail(error))
    #expect(refused.state == .closed)
    #expect(refused.handle(.start).isEmpty)
    var signedOut = live()
    #expect(signedOut.handle(.signedOut).last == .fail(MartletError(.signedOut, "The login has ended: sign in again.")))
  }

  @Test func `Each close code has its verdict`() {
    for code in [1000, 1001, 1005, 1006, 1011, 1012, 4000] { #expect(Closing(code: code).verdict == .comesBack, "\(code)") }
    for code in [1002, 1003, 1007, 1008, 1009] { #expect(Closing(code: code).verdict == .staysAway, "\(code)") }
    #expect(Closing(code: 1013).verdict == .comesBackLater)
    #expect(Closing(code: 1008, reason: "User not found").verdict == .needsToken)
  }
}
