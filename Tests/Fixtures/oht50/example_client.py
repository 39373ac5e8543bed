import asyncio
import websockets
import json

async def websocket_client():
    uri = "ws://localhost:8000/ws/telemetry"
    
    async with websockets.connect(uri) as websocket:
        # Authenticate
        auth_message = {
            "type": "auth",
            "token": "your-jwt-token"
        }
        await websocket.send(json.dumps(auth_message))
        
        # Subscribe to events
        subscribe_message = {
            "type": "subscribe",
            "events": ["telemetry.realtime", "system.status"],
            "rate": 10
        }
        await websocket.send(json.dumps(subscribe_message))
        
        # Listen for events
        async for message in websocket:
            data = json.loads(message)
            
            if data["type"] == "telemetry.realtime":
                update_telemetry(data["data"])
            elif data["type"] == "system.status":
                update_system_status(data["data"])
            elif data["type"] == "error":
                handle_error(data)

asyncio.run(websocket_client())
