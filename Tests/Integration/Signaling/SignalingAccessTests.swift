import Foundation
import LocalStack
import Testing

/// Tokens that run out, are renewed or revoked, and the way in through nginx.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SignalingAccessTests {
  private static let heartbeat = #"{"type":"heartbeat","request_id":"still-here","ts":"t","payload":{}}"#

  @Test func `A viewer is told that its token runs out, goes on with a new one, and is closed without`() async throws {
    try await SignalingScene.run { scene in
      let camera = try await scene.camera("camera", on: 1)
      let short = try await scene.token("alice", lifetime: "8s")
      let renewing = try await scene.viewer("renewing", token: short, on: 1)
      let silent = try await scene.viewer("silent", token: short, on: 2)
      let (kept, lost) = (try await scene.watch(renewing, camera), try await scene.watch(silent, camera))
      for viewer in [renewing, silent] {
        let told = try await viewer.message("token:expiring")
        #expect(told["payload"]?["expires_at"]?.string?.hasSuffix("Z") == true)
      }
      // What is no token of this user changes nothing.
      try await renewing.send("auth", #"{"token":"nonsense"}"#, requestID: "nonsense")
      #expect(try await renewing.error("nonsense") == "Invalid token")
      try await renewing.send("auth", #"{"token":"\#(scene.token("bob"))"}"#, requestID: "bob's")
      #expect(try await renewing.error("bob's") == "Unauthorized")
      try await renewing.send("auth", #"{"token":"\#(scene.token("alice"))"}"#, requestID: "new")
      let renewed = try await renewing.message("authenticated") { $0["request_id"]?.string == "new" }
      #expect(renewed["payload"]?["expires_at"]?.string?.hasSuffix("Z") == true)

      #expect(try await silent.closing() == "1008 Invalid or expired token")
      #expect(try await camera.end(of: lost) == "viewer_disconnected")
      try await scene.waitForEnd(lost, "viewer_disconnected")
      // The first token's end is past for this one too.
      try await renewing.send(raw: Self.heartbeat)
      _ = try await renewing.message("heartbeat_ack") { $0["request_id"]?.string == "still-here" }
      try await renewing.send("signal_ice", #"{"session_id":"\#(kept)","candidate":{"n":1}}"#)
      _ = try await camera.message("signal_ice", of: kept)
    }
  }

  @Test func `A device is told that its token runs out, goes on with a new one of its own, and is closed without`() async throws {
    try await SignalingScene.run { scene in
      let secret = String(repeating: "s", count: 43)
      _ = try await scene.stack.postgres.query(
        """
        INSERT INTO device_credentials (appliance_id, secret_sha256) VALUES ('cam-2', sha256('\(secret)'));
        UPDATE appliances SET accepts_unproven = false
        """)
      let renewing = try await scene.camera("renewing", credential: scene.token(device: "cam-1", lifetime: "8s"), on: 1)
      let silent = try await scene.camera("silent", "cam-2", credential: scene.token(device: "cam-2", lifetime: "8s"), on: 2)
      let viewer = try await scene.viewer("viewer", on: 1)
      let (kept, lost) = (try await scene.watch(viewer, renewing), try await scene.watch(viewer, silent, "cam-2"))
      for camera in [renewing, silent] {
        let told = try await camera.message("token:expiring")
        #expect(told["payload"]?["expires_at"]?.string?.hasSuffix("Z") == true)
      }
      // What is no token of this device changes nothing, be it a secret or its owner's token.
      for (id, token) in [("nonsense", "nonsense"), ("a secret", secret), ("its owner's", scene.token("alice"))] {
        try await renewing.send("auth", #"{"token":"\#(token)"}"#, requestID: id)
        #expect(try await renewing.error(id) == "Invalid token")
      }
      try await renewing.send("auth", #"{"token":"\#(scene.token(device: "cam-2"))"}"#, requestID: "another's")
      #expect(try await renewing.error("another's") == "Unauthorized")
      try await renewing.send("auth", #"{"token":"\#(scene.token(device: "cam-1"))"}"#, requestID: "new")
      let renewed = try await renewing.message("authenticated") { $0["request_id"]?.string == "new" }
      #expect(renewed["payload"]?["expires_at"]?.string?.hasSuffix("Z") == true)

      #expect(try await silent.closing() == "1008 Invalid or expired token")
      #expect(try await viewer.end(of: lost) == "device_disconnected")
      try await scene.waitForEnd(lost, "device_disconnected")
      // The first token's end is past for this one too, and it is by the new one that it is checked when access changes.
      let proven = try await scene.camera("proven", "cam-2", credential: secret, on: 1)
      try await proven.send("auth", #"{"token":"\#(scene.token(device: "cam-2"))"}"#, requestID: "by secret")
      #expect(try await proven.error("by secret") == "Only a device that came by a token sends 'auth'")
      _ = try await scene.stack.postgres.query("UPDATE device_credentials SET secret_sha256 = sha256('another')")
      for device in ["cam-1", "cam-2"] { _ = try await scene.stack.redis.cli("PUBLISH", "changes", "appliance\t\(device)") }
      #expect(try await proven.closing() == "1008 Invalid or expired token")
      try await renewing.send(raw: Self.heartbeat)
      _ = try await renewing.message("heartbeat_ack") { $0["request_id"]?.string == "still-here" }
      try await renewing.send("signal_ice", #"{"session_id":"\#(kept)","candidate":{"n":1}}"#)
      _ = try await viewer.message("signal_ice", of: kept)
    }
  }

  @Test func `A camera that is not taken at its word any more goes by the token that it showed`() async throws {
    try await SignalingScene.run { scene in
      let camera = try await scene.camera("camera", credential: scene.token(device: "cam-1", lifetime: "50s"), on: 1)
      _ = try await scene.stack.postgres.query("UPDATE appliances SET accepts_unproven = false")
      _ = try await scene.stack.redis.cli("PUBLISH", "changes", "appliance\tcam-1")
      _ = try await camera.message("token:expiring")
    }
  }

  @Test func `Revoked tokens end connections on every replica`() async throws {
    try await SignalingScene.run(withAPI: true) { scene in
      let camera = try await scene.camera("camera", on: 1)
      let viewers = (try await scene.viewer("first", on: 1), try await scene.viewer("second", on: 2))
      let bob = try await scene.viewer("bob", "bob", on: 2)
      let session = try await scene.watch(viewers.1, camera)
      #expect(try await scene.martletctl(as: "alice", "revoke", "me") == "every token of me is revoked\n")
      for viewer in [viewers.0, viewers.1] { #expect(try await viewer.closing() == "1008 Token has been revoked") }
      #expect(try await camera.end(of: session) == "viewer_disconnected")
      try await bob.send(raw: Self.heartbeat)
      _ = try await bob.message("heartbeat_ack")
    }
  }

  @Test func `Who came by a signing key that is gone is closed, and who came by the next one goes on`() async throws {
    try await SignalingScene.run { scene in
      let folder = scene.stack.folder
      let (old, new) = (try String(contentsOfFile: folder.secretFile("jwt"), encoding: .utf8), String(repeating: "new!", count: 8))
      let camera = try await scene.camera("camera", on: 1)
      let stale = try await scene.viewer("stale", on: 1)
      try "\(new)\n\(old)\n".write(toFile: folder.secretFile("jwt"), atomically: false, encoding: .utf8)
      for replica in 1...2 {
        let log = folder.log("signaling-\(replica)")
        try await scene.poll("both keys taken, in \(log)", limit: .seconds(30)) {
          try String(contentsOfFile: log, encoding: .utf8).contains("The secrets that sign tokens have changed")
        }
      }
      let fresh = try await scene.viewer("fresh", token: scene.token("alice", lifetime: "10m"), on: 2)
      let session = try await scene.watch(fresh, camera)
      try new.write(toFile: folder.secretFile("jwt"), atomically: false, encoding: .utf8)
      #expect(try await stale.closing() == "1008 Token has been revoked")
      try await fresh.send("signal_ice", #"{"session_id":"\#(session)","candidate":{"n":1}}"#)
      _ = try await camera.message("signal_ice", of: session)
    }
  }

  @Test func `A camera's new secret, and the end of its being taken at its word, close it`() async throws {
    try await SignalingScene.run { scene in
      let cameras = (try await scene.camera("first", on: 1), try await scene.camera("second", "cam-2", on: 2))
      let secret = String(repeating: "n", count: 43)
      _ = try await scene.stack.postgres.query(
        """
        INSERT INTO device_credentials (appliance_id, secret_sha256) VALUES ('cam-1', sha256('\(secret)'));
        UPDATE appliances SET accepts_unproven = false WHERE id = 'cam-2'
        """)
      _ = try await scene.stack.redis.cli("PUBLISH", "changes", "appliance\tcam-1")
      _ = try await scene.stack.redis.cli("PUBLISH", "changes", "appliance\tcam-2")
      for camera in [cameras.0, cameras.1] { #expect(try await camera.closing() == "1008 Device not found") }
    }
  }

  @Test func `nginx leads both endpoints to the brokers, past one that died, and logs no token`() async throws {
    try await SignalingScene.run(
      settings: SignalingScene.settings.merging(["MARTLET_TRUSTED_PROXIES": "127.0.0.1"]) { $1 }, withNginx: true
    ) {
      scene in
      let base = try "\(scene.stack.nginx.url)/ws"
      func watch(_ round: Int) async throws {
        let camera = try await scene.clients.open("camera-\(round)", base + "/device")
        try await camera.send("hello", #"{"device_id":"cam-1"}"#)
        _ = try await camera.message("hello_ack")
        let viewer = try await scene.clients.open("viewer-\(round)", base + "/viewer?token=\(scene.token("alice"))")
        try await viewer.send("hello", "{}")
        _ = try await viewer.message("hello_ack")
        let session = try await scene.watch(viewer, camera)
        try await viewer.send("end_watch", #"{"session_id":"\#(session)"}"#)
        #expect(try await camera.end(of: session) == "user_ended")
        for client in [viewer, camera] {
          try client.close()
          _ = try await client.closing()
        }
      }
      try await watch(1)
      try await scene.stack.kill("signaling-1")
      try await watch(2)
      let log = scene.stack.folder.log("nginx-access")
      try await scene.poll("both endpoints in \(log)", limit: .seconds(10)) {
        let text = try String(contentsOfFile: log, encoding: .utf8)
        return text.contains(#""GET /ws/viewer HTTP/1.1" 101"#) && text.contains(#""GET /ws/device HTTP/1.1" 101"#)
      }
      #expect(try !String(contentsOfFile: log, encoding: .utf8).contains(scene.token("alice")))
    }
  }
}
