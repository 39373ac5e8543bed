import Digests
import Foundation
import ServiceLifecycle
import Testing

@testable import Access

@Suite struct PasswordTests {
  private func withHasher<Value: Sendable>(
    _ hasher: PasswordHasher = PasswordHasher(), _ body: @Sendable (PasswordHasher) async throws -> Value
  ) async throws -> Value {
    let services = ServiceGroup(services: [hasher], logger: quiet)
    return try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await services.run() }
      let value = try await body(hasher)
      await services.triggerGracefulShutdown()
      try await group.waitForAll()
      return value
    }
  }

  @Test func `scrypt gives what RFC 7914 says`() {
    #expect(
      Digests.scrypt(Array("pleaseletmein".utf8), salt: Array("SodiumChloride".utf8), logN: 14, r: 8, p: 1).map(Digests.hex)
        == "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2")
    #expect(
      Digests.scrypt([], salt: [], logN: 4, r: 1, p: 1).map(Digests.hex)
        == "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442")
    #expect(Digests.scrypt([1], salt: [2], logN: 20, r: 8, p: 1) == nil, "a gigabyte is too much")
    #expect(Digests.scrypt([1], salt: [2], logN: 0, r: 8, p: 1) == nil)
  }

  @Test func `A password is kept salted and found again, and no other one is`() async throws {
    try await withHasher { hasher in
      let kept = try await hasher.hash("correct horse")
      #expect(kept.wholeMatch(of: /\$scrypt\$ln=15,r=8,p=1\$[A-Za-z0-9+\/]{22}\$[A-Za-z0-9+\/]{43}/) != nil)
      #expect(try await hasher.hash("correct horse") != kept)
      #expect(try await hasher.verify("correct horse", against: kept))
      for wrong in ["Correct horse", "correct horse ", "", String(repeating: "x", count: 2000)] {
        #expect(try await !hasher.verify(wrong, against: kept), "\(wrong.prefix(20))")
      }
      #expect(try await !hasher.verify("", against: nil))
      let composed = try await hasher.hash("caf\u{E9} au lait")
      #expect(try await hasher.verify("cafe\u{301} au lait", against: composed))
    }
  }

  @Test(arguments: [
    "", "correct horse", "$scrypt$ln=15,r=8,p=1$$", "$scrypt$ln=30,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + String(repeating: "A", count: 43),
    "$2b$12$abcdefghijklmnopqrstuv", "$scrypt$ln=0,r=8,p=1$AAAAAAAAAAAAAAAAAAAAAA$" + String(repeating: "A", count: 43),
  ])
  func `What is no hash of ours is no password's`(_ kept: String) {
    #expect(!PasswordHash.verify("correct horse", against: kept))
    #expect(!PasswordHash.verify("", against: kept))
  }

  @Test func `A flood is refused at once beyond what may wait, and what was taken is answered`() async throws {
    try await withHasher(PasswordHasher(threads: 1, waitingMax: 2)) { hasher in
      let outcomes = await withTaskGroup(of: Bool?.self) { group in
        for _ in 0..<50 {
          group.addTask {
            do throws(PasswordHasher.Failure) { return try await hasher.verify("wrong", against: nil) } catch {
              return error == .busy ? nil : true
            }
          }
        }
        return await group.reduce(into: [Bool?]()) { $0.append($1) }
      }
      #expect(outcomes.count { $0 == false } >= 3)
      #expect(outcomes.contains { $0 == nil } && !outcomes.contains(true))
    }
  }

  @Test func `After its end it says so`() async throws {
    let hasher = PasswordHasher()
    try await withHasher(hasher) { _ in }
    await #expect(throws: PasswordHasher.Failure.stopped) { try await hasher.hash("anything") }
  }
}
