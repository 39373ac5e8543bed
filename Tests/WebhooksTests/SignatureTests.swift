import Models
import Testing

@testable import Store
@testable import Webhooks

@Suite struct SignatureTests {
  private let secret: WebhookSecret
  private let other: WebhookSecret

  init() throws {
    // `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`, as the specification's libraries have it in their examples.
    secret = try #require(
      WebhookSecret([
        0x31, 0xF2, 0x90, 0xF6, 0xBF, 0x06, 0x29, 0x8A, 0xAB, 0x4F, 0x08, 0xD4, 0x3C, 0x3F, 0x08, 0x2C, 0xF6, 0x48, 0xA3, 0x62, 0xDA, 0x2D,
        0xA4, 0xB0,
      ]))
    other = try #require(WebhookSecret([UInt8](repeating: 7, count: 32)))
  }

  private func header(_ secrets: [WebhookSecret]) -> String {
    WebhookSignature.header(
      id: "msg_p5jXN8AQM9LWM0D4loKWxJek", timestamp: 1_614_265_330, body: Array(#"{"test": 2432232314}"#.utf8), secrets: secrets)
  }

  @Test func `A signature is the specification's`() {
    #expect(header([secret]) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
  }

  @Test func `Each secret that is valid signs`() {
    #expect(header([other, secret]) == header([other]) + " " + header([secret]))
  }

  @Test func `A secret shows itself only when it is asked to`() {
    #expect(secret.text == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    #expect(!"\(secret) \(String(reflecting: secret)) \([secret])".contains("MfKQ"))
    #expect(WebhookSecret([UInt8](repeating: 0, count: 23)) == nil)
    #expect(WebhookSecret().bytes.count == 32)
  }

  @Test func `A message's id follows from its cause`() {
    let id = WebhookMessageID(.alarmRaised, key: "1771072500000-0")
    #expect(id == WebhookMessageID(.alarmRaised, key: "1771072500000-0"))
    #expect(id != WebhookMessageID(.alarmCleared, key: "1771072500000-0"))
    #expect("\(id)".wholeMatch(of: /msg_[0-9a-f]{32}/) != nil)
  }
}
