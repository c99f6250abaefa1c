-- What a break's life needs (store/tables_reconcile.py), signed periods, requests to the systems, and the views that show them.

ALTER TABLE recon.breaks
    ADD COLUMN cause TEXT DEFAULT '' NOT NULL,
    ADD COLUMN customer_id TEXT,
    ADD COLUMN refs JSONB DEFAULT '[]' NOT NULL,
    ADD COLUMN opened_cycle TEXT DEFAULT '' NOT NULL,
    ADD COLUMN closed_cycle TEXT,
    ADD COLUMN returned INTEGER DEFAULT 0 NOT NULL,
    ADD COLUMN waiver_id BIGINT;

CREATE INDEX ix_breaks_open ON recon.breaks (state, rule_id) WHERE recorded_to is null;

ALTER TABLE recon.rule_run
    ADD COLUMN warned BOOLEAN DEFAULT false NOT NULL,
    ADD COLUMN waived BIGINT DEFAULT 0 NOT NULL,
    ADD COLUMN undetermined BIGINT DEFAULT 0 NOT NULL;

UPDATE recon.breaks SET opened_cycle = first_seen_cycle;

CREATE TABLE hub.break_act (
    act_id BIGINT GENERATED ALWAYS AS IDENTITY,
    break_id TEXT NOT NULL,
    act TEXT NOT NULL,
    acted_by TEXT NOT NULL,
    acted_at TIMESTAMP WITH TIME ZONE NOT NULL,
    said TEXT NOT NULL,
    owner TEXT,
    state_before TEXT NOT NULL,
    state_after TEXT NOT NULL,
    seq BIGINT NOT NULL,
    CONSTRAINT pk_break_act PRIMARY KEY (act_id),
    CONSTRAINT ck_break_act_act CHECK (act in ('take', 'answer', 'return', 'accept', 'correct'))
);

CREATE INDEX ix_break_act_break_id ON hub.break_act (break_id);

CREATE TABLE hub.waiver (
    waiver_id BIGINT GENERATED ALWAYS AS IDENTITY,
    rule_id TEXT NOT NULL,
    province TEXT,
    customer_id TEXT,
    subject JSONB NOT NULL,
    reason TEXT NOT NULL,
    announced_by TEXT NOT NULL,
    announced_at TIMESTAMP WITH TIME ZONE NOT NULL,
    starts_cycle TEXT NOT NULL,
    expires_cycle TEXT NOT NULL,
    withdrawn_by TEXT,
    withdrawn_reason TEXT,
    withdrawn_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_waiver PRIMARY KEY (waiver_id),
    CONSTRAINT ck_waiver_expires CHECK (starts_cycle <= expires_cycle)
);

CREATE TABLE hub.period_signature (
    signature_id BIGINT GENERATED ALWAYS AS IDENTITY,
    period TEXT NOT NULL,
    publication_id BIGINT NOT NULL,
    figures_digest TEXT NOT NULL,
    signed_by TEXT NOT NULL,
    signed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    note TEXT NOT NULL,
    replaces BIGINT,
    CONSTRAINT pk_period_signature PRIMARY KEY (signature_id),
    CONSTRAINT fk_period_signature_publication_id FOREIGN KEY(publication_id) REFERENCES hub.publication (publication_id)
);

CREATE INDEX ix_period_signature_period ON hub.period_signature (period);

CREATE TABLE hub.signed_figure (
    signature_id BIGINT NOT NULL,
    province TEXT NOT NULL,
    figure TEXT NOT NULL,
    value BIGINT NOT NULL,
    CONSTRAINT pk_signed_figure PRIMARY KEY (signature_id, province, figure),
    CONSTRAINT fk_signed_figure_signature_id FOREIGN KEY(signature_id) REFERENCES hub.period_signature (signature_id)
);

CREATE TABLE hub.outbox (
    outbox_id BIGINT GENERATED ALWAYS AS IDENTITY,
    idempotency_key TEXT NOT NULL,
    target_system TEXT NOT NULL,
    province TEXT,
    kind TEXT NOT NULL,
    payload JSONB NOT NULL,
    state TEXT DEFAULT 'pending' NOT NULL,
    requested_by TEXT NOT NULL,
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
    break_id TEXT,
    CONSTRAINT pk_outbox PRIMARY KEY (outbox_id)
);

CREATE INDEX ix_outbox_state ON hub.outbox (state);

CREATE UNIQUE INDEX uq_outbox_idempotency_key ON hub.outbox (idempotency_key);

create or replace view portal_v1.breaks as
select b.break_id, b.rule_id, b.severity, b.province, b.subject, b.left_value, b.right_value, b.money_fen, b.state, b.owner,
    b.due_at, b.first_seen_cycle, b.last_seen_cycle, b.reopened, b.details, b.cause, b.customer_id, b.refs, b.opened_cycle,
    b.closed_cycle, b.returned, b.waiver_id
from recon.breaks b
join portal_v1.publication p on hub.visible(b.recorded_from, b.recorded_to, p.derived_seq);

create or replace view audit.breaks as select * from recon.breaks;

create or replace view audit.rule_run as select * from recon.rule_run;

-- The ledger as it stands: what people did since the last publication is in it. `counted_fen` is what a break adds to money at
-- stake: of breaks that share a cause, those of the rule that sees most money count, for several rules look at the same money.
-- Settled and waived breaks count nothing. `age_days` runs from the night the break was last opened to the last night judged.
create view audit.break_now as
with last as (
    select max(cycle) as cycle from recon.rule_run
), live as (
    select b.*, coalesce(nullif(b.cause, ''), b.break_id) as shared, b.refs -> 0 ->> 'system' as system,
        b.state in ('open', 'explained', 'corrected') and b.waiver_id is null as at_stake
    from recon.breaks b where b.recorded_to is null
), seen as (
    select shared, rule_id, sum(money_fen) as fen from live where at_stake group by shared, rule_id
), counts as (
    select distinct on (shared) shared, rule_id from seen order by shared, fen desc nulls last, rule_id
)
select l.break_id, l.rule_id, l.severity, l.province, l.subject, l.left_value, l.right_value, l.money_fen,
    case when c.rule_id is not null and l.at_stake then coalesce(l.money_fen, 0) else 0 end as counted_fen, l.state, l.owner,
    l.due_at, l.first_seen_cycle, l.last_seen_cycle, l.opened_cycle, l.closed_cycle, l.reopened, l.returned, l.details, l.cause,
    l.shared, l.customer_id, l.system, l.refs, l.waiver_id, l.at_stake,
    case when l.state = 'closed' then null
        else greatest(to_date(last.cycle, 'YYYYMMDD') - to_date(l.opened_cycle, 'YYYYMMDD'), 0) end as age_days,
    l.recorded_from
from live l
cross join last
left join counts c on c.shared = l.shared and c.rule_id = l.rule_id;

create view audit.break_act as select * from hub.break_act;

create view audit.waiver as select * from hub.waiver;

create view audit.period_signature as
select s.*, not exists (select from hub.period_signature later where later.replaces = s.signature_id) as stands
from hub.period_signature s;

create view audit.signed_figure as select * from hub.signed_figure;

create view audit.outbox as select * from hub.outbox;
