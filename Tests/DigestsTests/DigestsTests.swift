import Digests
import Testing

@Suite struct DigestsTests {
  @Test func `SHA-1 gives the accept value of RFC 6455's example`() {
    let digest = Digests.sha1(Array("dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11".utf8))
    #expect(Digests.hex(digest) == "b37a4f2cc0624f1690f64606cf385945b2bec4ea")
  }

  @Test func `SHA-256 gives the values of FIPS 180-4's examples`() {
    #expect(Digests.hex(Digests.sha256(Array("abc".utf8))) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    #expect(Digests.hex(Digests.sha256([])) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
  }

  @Test func `Secrets are equal only when every byte and the length are`() {
    #expect(Digests.constantTimeEqual([1, 2, 3], [1, 2, 3]))
    #expect(Digests.constantTimeEqual([], []))
    #expect(!Digests.constantTimeEqual([1, 2, 3], [1, 2, 4]))
    #expect(!Digests.constantTimeEqual([1, 2], [1, 2, 3]))
  }
}
