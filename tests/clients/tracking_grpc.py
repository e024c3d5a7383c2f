"""A bot over gRPC, generated from proto/ by grpcio-tools: token, track, a stream from its begin to its end, untrack; and tracking by
the older messages."""

import importlib.resources
import json
import sys
import tempfile
from pathlib import Path

import grpc
from grpc_tools import protoc

settings = json.loads(sys.argv[1])
root = Path(__file__).resolve().parents[2] / "proto"

# The older interface, as its clients have it: without the fields 3 and 4.
OLD = """
syntax = "proto3";
package twitch;
service Twitch {
  rpc GetChannels(GetChannelsRequest) returns (GetChannelsResponse);
  rpc NewWebhook(NewWebhookRequest) returns (NewWebhookResponse);
  rpc DeleteWebhook(DeleteWebhookRequest) returns (DeleteWebhookResponse);
}
message GetChannelsRequest { string id = 1; }
message GetChannelsResponse { repeated string name = 1; }
message NewWebhookRequest { string channel = 1; string twitchname = 2; }
message NewWebhookResponse {}
message DeleteWebhookRequest { string channel = 1; string twitchname = 2; }
message DeleteWebhookResponse {}
"""


def generate(target, include, *files):
    known = importlib.resources.files("grpc_tools") / "_proto"
    arguments = ["protoc", f"-I{include}", f"-I{known}", f"--python_out={target}", f"--grpc_python_out={target}"]
    assert protoc.main([*arguments, *files]) == 0


with tempfile.TemporaryDirectory() as target:
    sys.path.insert(0, target)
    generate(target, root, "showtime/tracking/v1/tracking.proto")
    (Path(target) / "old").mkdir()
    (Path(target) / "old" / "twitch.proto").write_text(OLD)
    generate(target, Path(target) / "old", "twitch.proto")
    import twitch_pb2 as old
    import twitch_pb2_grpc as old_grpc
    from showtime.tracking.v1 import tracking_pb2 as pb
    from showtime.tracking.v1 import tracking_pb2_grpc as pb_grpc

    with grpc.insecure_channel(settings["address"]) as channel:
        stub = pb_grpc.TrackingServiceStub(channel)
        issued = stub.IssueToken(pb.IssueTokenRequest(name=settings["name"], secret=settings["secret"]), timeout=20)
        metadata = [("authorization", f"Bearer {issued.token}")]
        options = {"metadata": metadata, "timeout": 20}
        webhook = pb.Webhook(**settings["webhook"])
        there = {"channel_id": settings["channel"], "name": settings["login"]}

        tracked = stub.Track(pb.TrackRequest(**there, webhook=webhook), **options)
        print("tracked" if tracked.is_new else "tracked before")
        print("known" if not stub.Track(pb.TrackRequest(**there), **options).is_new else "new")
        got = stub.GetDestination(pb.GetDestinationRequest(channel_id=settings["channel"]), **options).destination
        assert got.state == pb.WEBHOOK_STATE_OK and got.tracks[0].login == settings["login"], got
        assert stub.ListDestinations(pb.ListDestinationsRequest(), **options).destinations[0] == got
        print("listed")
        preview = stub.Preview(pb.PreviewRequest(settings_json='{"message": "{{ streamer.name }}!"}'), **options)
        assert json.loads(preview.payload_json)["content"] == "MapleArcade!" and not preview.errors, preview
        test = stub.SendTest(pb.SendTestRequest(**there, dry_run=True), **options)
        assert json.loads(test.payload_json)["content"] and not test.message_id, test
        print("previewed")

        events = stub.WatchEvents(pb.WatchEventsRequest(shard=0, shard_count=1), metadata=metadata, timeout=120)
        events.initial_metadata()
        print("watching", flush=True)
        message = None
        for event in events:
            kind = event.WhichOneof("event")
            print(kind, flush=True)
            post = getattr(event, kind)
            assert post.login == settings["login"] and post.channel_id == settings["channel"], event
            assert message in (None, post.message_id), event
            message = post.message_id
            if kind == "post_ended":
                break
        events.cancel()

        twitch = old_grpc.TwitchStub(channel)
        request = old.NewWebhookRequest(channel=settings["channel"], twitchname=settings["login"])
        twitch.NewWebhook(request, **options)
        names = twitch.GetChannels(old.GetChannelsRequest(id=settings["channel"]), **options).name
        assert list(names) == [settings["login"]], names
        request = old.DeleteWebhookRequest(channel=settings["channel"], twitchname=settings["login"])
        twitch.DeleteWebhook(request, **options)
        assert not twitch.GetChannels(old.GetChannelsRequest(id=settings["channel"]), **options).name
        print("old messages understood")

        stub.Track(pb.TrackRequest(**there), **options)
        stub.Untrack(pb.UntrackRequest(**there), **options)
        print("untracked")
        try:
            stub.Untrack(pb.UntrackRequest(**there), **options)
        except grpc.RpcError as error:
            print("refused", error.code().name)
