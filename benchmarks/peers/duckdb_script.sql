-- The three tables by DuckDB alone. $source and $out are the folders.
-- The whole document has one explicit type; a value under another tag would be NULL without a word.

set threads = 2;
set TimeZone = 'UTC';

create temp table conversations as
with documents as (
    select
        parse_filename(filename) as source_file,
        metaData as meta,
        unnest(recordCollection).body."com.liveperson.dataaccess.EngagementData" as body
    from read_json(
        '$source/*.gz',
        format = 'newline_delimited',
        filename = true,
        columns = {
            dataType: 'STRUCT("com.liveperson.dataaccess.DataTypeEnum" VARCHAR)',
            metaData: 'STRUCT(accountId STRUCT(string VARCHAR), schemaVersion VARCHAR, startTime STRUCT(long BIGINT), endTime STRUCT(long BIGINT))',
            recordCollection: 'STRUCT(body STRUCT("com.liveperson.dataaccess.EngagementData" STRUCT(
                header STRUCT("com.liveperson.dataaccess.VisitorHeader" STRUCT(
                    visitId STRUCT(string VARCHAR), visitorId STRUCT(string VARCHAR), contextId STRUCT(string VARCHAR))),
                engagements STRUCT("array" STRUCT("com.liveperson.dataaccess.Conversation" STRUCT(
                    type STRUCT("com.liveperson.dataaccess.ConversationType" VARCHAR),
                    conversationId STRUCT(string VARCHAR),
                    conversationStartTime STRUCT(long BIGINT),
                    interactionStartTime STRUCT(long BIGINT),
                    conversationEndTime STRUCT(long BIGINT),
                    consumerId STRUCT(string VARCHAR),
                    isInteractive STRUCT("boolean" BOOLEAN),
                    sourceOrigin STRUCT(string VARCHAR),
                    sourceDevice STRUCT("com.liveperson.dataaccess.DeviceType" VARCHAR),
                    endReasonId STRUCT("int" INTEGER),
                    campaignData STRUCT("com.liveperson.dataaccess.CampaignData" STRUCT(
                        campaignId STRUCT(long BIGINT), campaignEngagementId STRUCT(long BIGINT))),
                    agentId STRUCT(string VARCHAR),
                    skillId STRUCT(long BIGINT),
                    skills STRUCT("array" BIGINT[]),
                    startReasonId STRUCT("int" INTEGER),
                    startPage STRUCT(string VARCHAR),
                    startUrl STRUCT(string VARCHAR),
                    transcripts STRUCT("array" STRUCT(
                        "text" STRUCT(string VARCHAR), "timestamp" STRUCT(long BIGINT), "by" STRUCT(string VARCHAR),
                        type STRUCT(string VARCHAR), controlType STRUCT(string VARCHAR), agentId STRUCT(string VARCHAR),
                        contentFormat STRUCT(string VARCHAR), messageId STRUCT(string VARCHAR), dialogId STRUCT(string VARCHAR),
                        fileData STRUCT("com.liveperson.dataaccess.FileData" STRUCT(
                            caption STRUCT(string VARCHAR), fileType STRUCT(string VARCHAR))),
                        linkData STRUCT("com.liveperson.dataaccess.LinkData" STRUCT(
                            externalFileLink STRUCT(string VARCHAR), fileType STRUCT(string VARCHAR), caption STRUCT(string VARCHAR))),
                        mcs STRUCT("com.liveperson.dataaccess.MCS" STRUCT(mcs STRUCT("double" DOUBLE))))[]),
                    transfers STRUCT("array" STRUCT(
                        "timestamp" STRUCT(string BIGINT), skillId STRUCT(long BIGINT), targetSkillId STRUCT(long BIGINT),
                        agentId STRUCT(string VARCHAR), targetAgentId STRUCT(string VARCHAR), reason STRUCT(long BIGINT),
                        queueStartTime STRUCT(long BIGINT), queueEndTime STRUCT(long BIGINT))[]),
                    secureForms STRUCT("array" STRUCT(
                        formId STRUCT(string VARCHAR), formName STRUCT(string VARCHAR), submitTime STRUCT(long BIGINT))[]),
                    mcs STRUCT("com.liveperson.dataaccess.MCS" STRUCT(mcs STRUCT("double" DOUBLE))),
                    queueStartTime STRUCT(long BIGINT),
                    queueEndTime STRUCT(long BIGINT)))[]))))[]'
        }
    )
)

select
    source_file,
    meta,
    body.header."com.liveperson.dataaccess.VisitorHeader" as header,
    unnest(body.engagements."array")."com.liveperson.dataaccess.Conversation" as value
from documents;

-- Rows stand in the order of the files and of their lines.
create temp table keys as
select
    rowid as place,
    meta.accountId.string as account_id,
    value.conversationId.string as conversation_id,
    epoch_ms(value.conversationStartTime.long)::date as date,
    source_file,
    (rowid - min(rowid) over (partition by source_file) + 1)::integer as delivery
from conversations;

copy (
    select
        account_id,
        conversation_id,
        date,
        value.type."com.liveperson.dataaccess.ConversationType" as type,
        make_timestamptz(value.conversationStartTime.long * 1000) as conversation_start_time,
        make_timestamptz(value.interactionStartTime.long * 1000) as interaction_start_time,
        make_timestamptz(value.conversationEndTime.long * 1000) as conversation_end_time,
        value.consumerId.string as consumer_id,
        value.isInteractive."boolean" as is_interactive,
        value.sourceOrigin.string as source_origin,
        value.sourceDevice."com.liveperson.dataaccess.DeviceType" as source_device,
        value.endReasonId."int" as end_reason_id,
        value.campaignData."com.liveperson.dataaccess.CampaignData".campaignId.long as campaign_id,
        value.campaignData."com.liveperson.dataaccess.CampaignData".campaignEngagementId.long as campaign_engagement_id,
        value.agentId.string as agent_id,
        value.skillId.long as skill_id,
        value.skills."array" as skills,
        value.startReasonId."int" as start_reason_id,
        value.startPage.string as start_page,
        value.startUrl.string as start_url,
        value.mcs."com.liveperson.dataaccess.MCS".mcs."double" as mcs,
        make_timestamptz(value.queueStartTime.long * 1000) as queue_start_time,
        make_timestamptz(value.queueEndTime.long * 1000) as queue_end_time,
        case when len(value.secureForms."array") > 0 then to_json(list_transform(
            value.secureForms."array",
            lambda form: {'formId': form.formId.string, 'formName': form.formName.string, 'submitTime': form.submitTime.long}
        ))::varchar end as secure_forms,
        header.visitId.string as visit_id,
        header.visitorId.string as visitor_id,
        header.contextId.string as context_id,
        meta.schemaVersion as schema_version,
        keys.source_file,
        null::varchar as extra,
        delivery
    from conversations
    join keys on keys.place = conversations.rowid
) to '$out/conversations' (format parquet, compression zstd, partition_by date);

copy (
    with lines as (
        select
            rowid as place,
            unnest(value.transcripts."array") as line,
            generate_subscripts(value.transcripts."array", 1) - 1 as position
        from conversations
    )

    select
        account_id,
        conversation_id,
        date,
        position::integer as position,
        make_timestamptz(line.timestamp.long * 1000) as timestamp,
        line.by.string as sent_by,
        line.type.string as type,
        line.controlType.string as control_type,
        line.agentId.string as agent_id,
        line.contentFormat.string as content_format,
        line.text.string as text,
        line.messageId.string as message_id,
        line.dialogId.string as dialog_id,
        line.fileData."com.liveperson.dataaccess.FileData".caption.string as file_caption,
        line.fileData."com.liveperson.dataaccess.FileData".fileType.string as file_type,
        line.linkData."com.liveperson.dataaccess.LinkData".externalFileLink.string as link_url,
        line.linkData."com.liveperson.dataaccess.LinkData".fileType.string as link_file_type,
        line.linkData."com.liveperson.dataaccess.LinkData".caption.string as link_caption,
        line.mcs."com.liveperson.dataaccess.MCS".mcs."double" as mcs,
        source_file,
        null::varchar as extra,
        delivery
    from lines
    join keys using (place)
) to '$out/messages' (format parquet, compression zstd, partition_by date);

copy (
    with moves as (
        select
            rowid as place,
            unnest(value.transfers."array") as move,
            generate_subscripts(value.transfers."array", 1) - 1 as position
        from conversations
    )

    select
        account_id,
        conversation_id,
        date,
        position::integer as position,
        make_timestamptz(move.timestamp.string * 1000) as timestamp,
        move.skillId.long as skill_id,
        move.targetSkillId.long as target_skill_id,
        move.agentId.string as agent_id,
        move.targetAgentId.string as target_agent_id,
        move.reason.long as reason,
        make_timestamptz(move.queueStartTime.long * 1000) as queue_start_time,
        make_timestamptz(move.queueEndTime.long * 1000) as queue_end_time,
        null::boolean as is_interactive,
        source_file,
        null::varchar as extra,
        delivery
    from moves
    join keys using (place)
) to '$out/transfers' (format parquet, compression zstd, partition_by date);
