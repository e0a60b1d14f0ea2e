import django.db.models.deletion
import generation.models
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('generation', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Upload',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('batch', models.UUIDField()),
                ('name', models.CharField(max_length=200)),
                ('n_bytes', models.PositiveBigIntegerField()),
                ('file', models.FileField(blank=True, max_length=200, upload_to=generation.models.incoming_path)),
                ('state', models.CharField(choices=[('received', 'Received'), ('taken', 'Taken'), ('refused', 'Refused')], default='received', max_length=10)),
                ('problem', models.CharField(blank=True, max_length=60)),
                ('reason', models.TextField(blank=True)),
                ('understood', models.JSONField(default=list)),
            ],
            options={
                'ordering': ['created_at', 'name'],
            },
        ),
        migrations.AlterField(
            model_name='job',
            name='kind',
            field=models.CharField(choices=[('clips', 'Clips from a checkpoint'), ('references', 'Clips of real music'), ('training', 'Training'), ('uploads', 'Reading uploads')], max_length=20),
        ),
        migrations.AddField(
            model_name='upload',
            name='checkpoint',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='uploads', to='generation.checkpoint'),
        ),
        migrations.AddField(
            model_name='upload',
            name='job',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='uploads', to='generation.job'),
        ),
        migrations.AddField(
            model_name='upload',
            name='owner',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='clip',
            name='upload',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='clips', to='generation.upload'),
        ),
        migrations.AddConstraint(
            model_name='upload',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['received', 'taken', 'refused'])), name='upload_state'),
        ),
    ]
